import { signal } from '@preact/signals'
import { ago, clockTime, moment } from '../../text/spans.ts'

/** The current time, in ms since 1970; updated every 10 s while the page is visible. A component that reads it is drawn again. */
export const now = signal(Date.now())

const tick = () => {
  if (document.visibilityState === 'visible') now.value = Date.now()
}
setInterval(tick, 10_000)
document.addEventListener('visibilitychange', tick)

/**
 * A time, with its full date as a tooltip. `ago` (5 min ago), `clock` (14:02), or `moment` (14:02 today, else Monday, else 3 Nov). `at` is
 * RFC 3339; nothing is drawn for an invalid one.
 */
export function Time({ at, as = 'ago' }: { at: string; as?: 'ago' | 'clock' | 'moment' }) {
  const ms = Date.parse(at)
  if (Number.isNaN(ms)) return null
  const words = as === 'ago' ? ago(ms, now.value) : as === 'clock' ? clockTime(ms) : moment(ms, now.value)
  return (
    <time dateTime={at} title={fullTime(ms)}>
      {words}
    </time>
  )
}

/** Returns `Fri 27 Nov 2026, 14:02:11`, in the zone of this browser. */
export function fullTime(ms: number): string {
  return new Date(ms).toLocaleString('en-GB', {
    ...({ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' } as const),
    ...({ hour: '2-digit', minute: '2-digit', second: '2-digit' } as const),
  })
}
