import { exactTime, momentsOf, utcOf, type WallTime, wallTimeAt, weekdayAt } from './zone.ts'

/** The time and zone in which a time is named. */
export interface Clock {
  /** In ms since 1970. */
  now: number
  /** IANA name of the zone whose wall clock is meant. */
  timeZone: string
}

/** A time that was named. */
export interface Moment {
  /** In ms since 1970. */
  at: number
  /** Distance from now, if it was named by that: `in 10m`. */
  spanMs?: number
}

/** The accepted forms, for help and errors. */
export const momentForms =
  'in 10m, in 1h 30m, today 18:00, tomorrow 9:00, friday 14:30, 2027-02-01 9:00, or RFC 3339 such as 2027-02-01T09:00:00+01:00'

const dayMs = 86_400_000

/** Two years: a longer span is a typo. */
const maxSpanMs = 2 * 366 * dayMs

const unitMs: Readonly<Record<string, number>> = {
  ...{ s: 1000, sec: 1000, secs: 1000, second: 1000, seconds: 1000 },
  ...{ m: 60_000, min: 60_000, mins: 60_000, minute: 60_000, minutes: 60_000 },
  ...{ h: 3_600_000, hr: 3_600_000, hrs: 3_600_000, hour: 3_600_000, hours: 3_600_000 },
  ...{ d: dayMs, day: dayMs, days: dayMs, w: 7 * dayMs, week: 7 * dayMs, weeks: 7 * dayMs },
}

const weekdays = ['sunday', 'monday', 'tuesday', 'wednesday', 'thursday', 'friday', 'saturday']

/**
 * Parses the time that `text` names. Accepts forms with one meaning: a span from now, a day with a time of day in the zone, or RFC 3339.
 * Throws an error with the reason for anything else: a time that has passed, is ambiguous, or does not exist on the clock.
 */
export function readMoment(text: string, clock: Clock): Moment {
  const words = text.trim().toLowerCase().replace(/,/g, ' ').replace(/\s+/g, ' ')
  if (words === '') throw new Error(`a time is missing. Write ${momentForms}`)
  const spanMs = readSpan(words)
  if (spanMs !== undefined) return { at: clock.now + spanMs, spanMs }
  const at = readExact(words) ?? readWall(words, clock)
  if (at <= clock.now)
    throw new Error(`${shown(at, clock)} is past: it is ${shown(clock.now, clock)}${laterHint(words)}`)
  if (at - clock.now > maxSpanMs) throw new Error(`${shown(at, clock)} is too far ahead`)
  return { at }
}

function laterHint(words: string): string {
  return /^(today |at )?\d/.test(words) && !/^\d{4}-/.test(words) ? '. Write tomorrow and the time, or a date' : ''
}

/** Parses a span as people write it, `30m`, `1h 30m`, into ms. Throws an error with the reason for anything else. */
export function readSpanText(text: string): number {
  const spanMs = readSpan(text.trim().toLowerCase().replace(/\s+/g, ' '))
  if (spanMs === undefined) throw new Error('that is not a duration. Write 90s, 30m, 2h or 1h 30m')
  return spanMs
}

/** Parses `in 10m`, `1h 30m`, `in an hour` into ms. Returns undefined for anything else. */
function readSpan(words: string): number | undefined {
  const [, inside = ''] = /^(?:in )?((?:(?:\d+(?:\.\d+)?|an?) ?[a-z]+(?: and)? ?)+)$/.exec(words) ?? []
  if (inside === '' || /\d ?[ap]m\b/.test(inside)) return undefined
  let ms = 0
  for (const [, number, unit] of inside.matchAll(/(\d+(?:\.\d+)?|an?) ?([a-z]+)(?: and)? ?/g)) {
    const each = unitMs[unit!]
    if (each === undefined) {
      if (/^mo|^y/.test(unit!)) throw new Error(`'${unit}' has no exact length. Write days, or a date`)
      return undefined
    }
    ms += each * (number!.startsWith('a') ? 1 : Number(number))
  }
  if (ms < 1000) throw new Error('the shortest time from now is 1s')
  if (ms > maxSpanMs) throw new Error('that is too far ahead')
  return Math.round(ms)
}

/** Parses RFC 3339 (section 5.6), also with a space instead of the T. Returns undefined for a time without an offset. */
function readExact(words: string): number | undefined {
  const found = /^(\d{4})-(\d\d)-(\d\d)[t ](\d\d):(\d\d):(\d\d)(\.\d+)?(z|[+-]\d\d:\d\d)$/.exec(words)
  if (!found) {
    if (/^\d{4}-\d\d?-\d\d?[t ].*([+-]\d\d?(:?\d\d)?|\dz)$/.test(words))
      throw new Error('that is no RFC 3339 time: it has seconds and an offset, as in 2027-02-01T09:00:00+01:00')
    return undefined
  }
  const [year, month, day, hour, minute, second] = found.slice(1, 7).map(Number) as [number, ...number[]]
  const wall = checkedWall({ year, month, day, hour, minute, second } as WallTime)
  const offset = found[8]!
  const [offsetHours, offsetMinutes] = offset === 'z' ? [0, 0] : [Number(offset.slice(1, 3)), Number(offset.slice(4))]
  if (offsetHours! > 23 || offsetMinutes! > 59) throw new Error(`${offset} is not the offset of a time zone`)
  const ms = Math.floor(Number(`0${found[7] ?? ''}`) * 1000)
  const aheadMs = (offset.startsWith('-') ? -1 : 1) * (offsetHours! * 60 + offsetMinutes!) * 60_000
  return utcOf(wall) + ms - aheadMs
}

/** Parses a day with a time of day in the zone, or in UTC when the text says so. */
function readWall(typed: string, { now, timeZone: own }: Clock): number {
  const [, words, utc] = /^(.*?)( utc| gmt)?$/.exec(typed)!
  const timeZone = utc === undefined ? own : 'UTC'
  const clock = { now, timeZone }
  const [, day = '', time = ''] =
    /^(.*?)(?:^| |t)(?:at )?((?:\d{1,2}:\d.*|\d{1,2}(?::\d\d)? ?[ap]m|noon|midnight))$/.exec(words!) ?? []
  if (time === '') throw new Error(whyNoTime(words!, clock))
  const wall = { ...readDay(day.replace(/ at$/, '').replace(/^(on|at) ?/, ''), clock), ...readTime(time) }
  const moments = momentsOf(checkedWall(wall), timeZone)
  if (moments.length === 1) return moments[0]!
  const clockTime = `${two(wall.hour)}:${two(wall.minute)} of ${wall.year}-${two(wall.month)}-${two(wall.day)}`
  if (moments.length === 0)
    throw new Error(
      `${clockTime} does not exist in ${timeZone}: the clocks are set forward over it. Write another time`,
    )
  const both = moments.map(at => exactTime(at, timeZone)).join(' or ')
  throw new Error(`${clockTime} comes twice in ${timeZone}: the clocks are set back over it. Write ${both}`)
}

function whyNoTime(words: string, clock: Clock): string {
  if (/^\d+$/.test(words)) return `'${words}' may be minutes or an hour. Write in ${words}m, or today ${words}:00`
  if (isDay(words, clock) || /^\d{4}-\d\d-\d\d$/.test(words)) return `at what time? Write ${words} 9:00`
  const [, day, hour] = /^(.+?)(?: at)? (\d{1,2})$/.exec(words) ?? []
  if (hour !== undefined && isDay(day!, clock)) return `'${hour}' alone is not a time of day. Write ${day} ${hour}:00`
  return `that is not a time. Write ${momentForms}`
}

function isDay(words: string, clock: Clock): boolean {
  try {
    readDay(words.replace(/^on /, ''), clock)
    return words !== ''
  } catch {
    return false
  }
}

/** Parses `9:00`, `09:00:30`, `9am`, `9:30 pm`, `noon`. */
function readTime(words: string): Pick<WallTime, 'hour' | 'minute' | 'second'> {
  if (words === 'noon') return { hour: 12, minute: 0, second: 0 }
  if (words === 'midnight') throw new Error('midnight belongs to two days. Write the day that begins, and 0:00')
  const [, hours, minutes = '0', seconds = '0', half] =
    /^(\d{1,2})(?::(\d\d))?(?::(\d\d))? ?([ap]m)?$/.exec(words) ?? []
  if (hours === undefined) throw new Error(`'${words}' is not a time of day. Write 9:00 or 14:30`)
  const [hour, minute, second] = [Number(hours), Number(minutes), Number(seconds)]
  if (half !== undefined && (hour < 1 || hour > 11))
    throw new Error(`'${words}' is not clear. Write the hour from 0:00 to 23:59`)
  const wall = { hour: half === 'pm' ? hour + 12 : hour, minute, second }
  if (wall.hour > 23 || minute > 59 || second > 59)
    throw new Error(`'${words}' is not a time of day. It must be from 0:00 to 23:59`)
  return wall
}

/** Parses `tomorrow`, a day of the coming week, or `2027-02-01`; nothing is today. */
function readDay(words: string, { now, timeZone }: Clock): Pick<WallTime, 'year' | 'month' | 'day'> {
  const today = wallTimeAt(now, timeZone)
  if (words === '' || words === 'today') return today
  if (words === 'tomorrow') return daysOn(today, 1)
  const [, year, month, day] = /^(\d{4})-(\d\d)-(\d\d)$/.exec(words) ?? []
  if (year !== undefined) return { year: Number(year), month: Number(month), day: Number(day) }
  if (/^\d{1,4}[./-]\d{1,2}([./-]\d{0,4})?$/.test(words))
    throw new Error(`'${words}' may be several dates. Write it as 2027-02-01`)
  const found = weekdays.findIndex(each => words === each || (words.length >= 3 && each.startsWith(words)))
  if (found < 0) {
    if (/^(next|this|coming) /.test(words))
      throw new Error(`'${words}' may be several days. Write the day alone, or its date`)
    throw new Error(`'${words}' is not a day. Write ${momentForms}`)
  }
  const ahead = (found - weekdays.indexOf(weekdayAt(now, timeZone).toLowerCase()) + 7) % 7
  if (ahead === 0) throw new Error(`today is ${weekdays[found]}. Write today, or the date`)
  return daysOn(today, ahead)
}

function daysOn({ year, month, day }: WallTime, days: number): Pick<WallTime, 'year' | 'month' | 'day'> {
  const then = new Date(Date.UTC(year, month - 1, day + days))
  return { year: then.getUTCFullYear(), month: then.getUTCMonth() + 1, day: then.getUTCDate() }
}

/** Returns `wall`. Throws for a date or a time of day that does not exist. */
function checkedWall(wall: WallTime): WallTime {
  const { year, month, day, hour, minute, second } = wall
  const then = new Date(utcOf(wall))
  const isDate = then.getUTCMonth() + 1 === month && then.getUTCDate() === day && year >= 1970
  if (hour > 23 || minute > 59 || second > 59)
    throw new Error(`${two(hour)}:${two(minute)}:${two(second)} is not a time of day`)
  if (!isDate) throw new Error(`there is no ${year}-${two(month)}-${two(day)}`)
  return wall
}

function shown(at: number, { timeZone }: Clock): string {
  return exactTime(at, timeZone)
}

function two(n: number): string {
  return String(n).padStart(2, '0')
}
