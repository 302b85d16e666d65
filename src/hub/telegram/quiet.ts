import { momentInWords, ownZone } from '../../text/zone.ts'
import type { HumanSettings } from '../telegram-settings.ts'

/**
 * Whether it is quiet for somebody at `now` (ms since 1970): by the clock on their wall, so that an hour that comes twice or not
 * at all is what the clock says it is. The hours may go over midnight; an end that is the start makes none.
 */
export function isQuiet({ quiet, timezone }: Pick<HumanSettings, 'quiet' | 'timezone'>, now: number): boolean {
  if (!quiet) return false
  const [start, end] = quiet
  const time = wallClock(now, timezone)
  return start <= end ? time >= start && time < end : time >= start || time < end
}

/** `07:05` in the zone, or in the hub's own. */
export function wallClock(at: number, timeZone: string | undefined): string {
  return new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone }).format(at)
}

/**
 * How long it is from `now` until the clock shows `time` (`08:00`) the next time, in ms. Across a change of the clocks it may be
 * an hour off, never more than a day.
 */
export function untilClock(time: string, now: number, timeZone: string | undefined): number {
  const minutes = (text: string) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5))
  const ahead = minutes(time) - minutes(wallClock(now, timeZone))
  return (ahead > 0 ? ahead : ahead + 24 * 60) * 60_000
}

/** A moment exactly, in the zone or in the hub's own, and how far off it is. */
export function whenInWords(at: number, timeZone = ownZone()): string {
  return momentInWords(at, timeZone, Date.now())
}
