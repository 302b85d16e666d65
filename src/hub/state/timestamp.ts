/** Formats ms since 1970 as times are on the wire: RFC 3339 in UTC with milliseconds. */
export function timestamp(ms: number): string {
  return new Date(ms).toISOString()
}

/** Reports whether `ms` is in the range that `timestamp` can format, that of a Date (ECMA-262, "Time Values and Time Range"). */
export function isTime(ms: number): boolean {
  return Math.abs(ms) <= 8.64e15
}
