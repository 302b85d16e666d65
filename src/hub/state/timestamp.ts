const dayMs = 86_400_000

/** The last formatted day, as a number of days since 1970, and its text up to the `T`. */
let lastDay = Number.NaN
let lastDate = ''

/**
 * Formats ms since 1970 as times are on the wire: RFC 3339 in UTC with milliseconds. Throws a RangeError for a number that is not `isTime`.
 * Returns the same as `Date.toISOString`, which takes ten times as long; a page of an inbox has a hundred times.
 */
export function timestamp(ms: number): string {
  if (!isTime(ms)) throw new RangeError(`${ms} is not a time.`)
  const whole = Math.trunc(ms)
  const day = Math.floor(whole / dayMs)
  if (day !== lastDay) {
    lastDate = new Date(day * dayMs).toISOString().slice(0, -'00:00:00.000Z'.length)
    lastDay = day
  }
  const rest = whole - day * dayMs
  const [seconds, minutes, hours] = [Math.floor(rest / 1000), Math.floor(rest / 60_000), Math.floor(rest / 3_600_000)]
  const time = `${twoDigits(hours)}:${twoDigits(minutes % 60)}:${twoDigits(seconds % 60)}`
  const fraction = rest % 1000
  return `${lastDate}${time}.${fraction < 10 ? '00' : fraction < 100 ? '0' : ''}${fraction}Z`
}

function twoDigits(number: number): string {
  return number < 10 ? `0${number}` : `${number}`
}

/** Reports whether `ms` is in the range that `timestamp` can format, that of a Date (ECMA-262, "Time Values and Time Range"). */
export function isTime(ms: number): boolean {
  return Math.abs(ms) <= 8.64e15
}
