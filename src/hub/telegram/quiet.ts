import { momentInWords, ownZone } from '../../text/zone.ts'
import type { HumanSettings } from '../config/telegram.ts'

/**
 * Reports whether `now` (ms since 1970) is in a person's quiet hours. Uses the wall clock of their time zone, so an hour that occurs twice
 * or not at all counts as the clock shows it. Quiet hours may span midnight; equal start and end mean none.
 */
export function isQuiet({ quiet, timezone }: Pick<HumanSettings, 'quiet' | 'timezone'>, now: number): boolean {
  if (!quiet) return false
  const [start, end] = quiet
  const time = wallClock(now, timezone)
  return start <= end ? time >= start && time < end : time >= start || time < end
}

/** Returns the time of day, as `07:05`, in the zone or else in the hub's own. */
export function wallClock(at: number, timeZone: string | undefined): string {
  return new Intl.DateTimeFormat('en-GB', { hour: '2-digit', minute: '2-digit', hourCycle: 'h23', timeZone }).format(at)
}

/**
 * Returns the time from `now` until the clock next shows `time` (`08:00`), in ms. May be an hour off across a clock change, never more than
 * a day in total.
 */
export function untilClock(time: string, now: number, timeZone: string | undefined): number {
  const minutes = (text: string) => Number(text.slice(0, 2)) * 60 + Number(text.slice(3, 5))
  const ahead = minutes(time) - minutes(wallClock(now, timeZone))
  return (ahead > 0 ? ahead : ahead + 24 * 60) * 60_000
}

/** Returns a moment in the zone, or else in the hub's own, and how far off it is. */
export function whenInWords(at: number, timeZone = ownZone()): string {
  return momentInWords(at, timeZone, Date.now())
}
