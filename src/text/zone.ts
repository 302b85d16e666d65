/** A date and a time of day as a clock on the wall shows them. `month` and `day` start at 1. */
export interface WallTime {
  year: number
  month: number
  day: number
  hour: number
  minute: number
  second: number
}

const dayMs = 86_400_000

/** Returns the time zone of this process: that of `TZ`, or of the system. */
export function ownZone(): string {
  return new Intl.DateTimeFormat().resolvedOptions().timeZone
}

/** Returns the wall time of the zone at `at`, in ms since 1970. */
export function wallTimeAt(at: number, timeZone: string): WallTime {
  const parts = new Intl.DateTimeFormat('en-US', {
    ...{ timeZone, hourCycle: 'h23', era: 'short' },
    ...{ year: 'numeric', month: 'numeric', day: 'numeric', hour: 'numeric', minute: 'numeric', second: 'numeric' },
  }).formatToParts(at)
  const part = (type: string) => Number(parts.find(each => each.type === type)!.value)
  const [year, month, day] = [part('year'), part('month'), part('day')]
  return { year, month, day, hour: part('hour'), minute: part('minute'), second: part('second') }
}

/**
 * Returns the times at which a clock in the zone shows `wall`, in ms since 1970, earliest first: one, two when it is set back over that
 * time, none when it is set forward over it.
 */
export function momentsOf(wall: WallTime, timeZone: string): number[] {
  const asUtc = utcOf(wall)
  const offsets = [asUtc - dayMs, asUtc + dayMs].map(near => offsetAt(near, timeZone))
  const moments = [...new Set(offsets)]
    .map(offset => asUtc - offset)
    .filter(at => utcOf(wallTimeAt(at, timeZone)) === asUtc)
  return moments.sort((a, b) => a - b)
}

/** Returns the lead of the zone's clock over UTC at `at`, in ms. */
function offsetAt(at: number, timeZone: string): number {
  return utcOf(wallTimeAt(at, timeZone)) - Math.floor(at / 1000) * 1000
}

/** Returns the time at which a UTC clock shows `wall`, in ms since 1970. */
export function utcOf({ year, month, day, hour, minute, second }: WallTime): number {
  return Date.UTC(year, month - 1, day, hour, minute, second)
}

/** Returns the exact time: `2026-11-28T09:00:00+01:00`. */
export function exactTime(at: number, timeZone: string): string {
  const offset = offsetAt(at, timeZone)
  const minutes = Math.abs(offset) / 60_000
  const two = (n: number) => String(Math.floor(n)).padStart(2, '0')
  const sign = offset < 0 ? '-' : '+'
  const zone = offset === 0 ? 'Z' : `${sign}${two(minutes / 60)}:${two(minutes % 60)}`
  return `${new Date(at + offset).toISOString().slice(0, 19)}${zone}`
}

/** Returns the day of the week: `Saturday`. */
export function weekdayAt(at: number, timeZone: string): string {
  return new Intl.DateTimeFormat('en-US', { weekday: 'long', timeZone }).format(at)
}

/**
 * Returns the exact time with its day and zone, and its distance from `now`: `2026-11-28T09:00:00+01:00 (Saturday, Europe/Berlin, in 14
 * h)`.
 */
export function momentInWords(at: number, timeZone: string, now: number): string {
  return `${exactTime(at, timeZone)} (${weekdayAt(at, timeZone)}, ${timeZone}, ${ahead(at - now)})`
}

function ahead(ms: number): string {
  const minutes = Math.round(ms / 60_000)
  if (ms <= 0) return 'now'
  if (minutes < 1) return `in ${Math.max(1, Math.round(ms / 1000))} s`
  if (minutes < 60) return `in ${minutes} min`
  if (minutes < 48 * 60) return `in ${Math.round(minutes / 60)} h`
  return `in ${Math.round(minutes / 1440)} days`
}
