import { signal } from '@preact/signals'
import { ago, clockTime, moment } from '../../text/spans.ts'

/** Now, in ms since 1970; moves on every 10 s while the page is looked at. Reading it in a component has that drawn again. */
export const now = signal(Date.now())

const tick = () => {
  if (document.visibilityState === 'visible') now.value = Date.now()
}
setInterval(tick, 10_000)
document.addEventListener('visibilitychange', tick)

/**
 * A moment, with its full date on a long look. `ago` (5 min ago), `clock` (14:02), or `moment` (14:02 today, else Monday, else 3 Nov).
 * `at` is RFC 3339; one that is none is shown as nothing.
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

/** `Fri 27 Nov 2026, 14:02:11`, in the zone of this browser. */
export function fullTime(ms: number): string {
  return new Date(ms).toLocaleString('en-GB', {
    ...({ weekday: 'short', day: 'numeric', month: 'short', year: 'numeric' } as const),
    ...({ hour: '2-digit', minute: '2-digit', second: '2-digit' } as const),
  })
}
