/** Ms since 1970 as the wire writes a time: RFC 3339 in UTC with milliseconds. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString()
}

/** Whether `ms` is a time that `timestamp` can write: the range of a Date (ECMA-262, "Time Values and Time Range"). */
export function isTime(ms: number): boolean {
  return Math.abs(ms) <= 8.64e15
}
