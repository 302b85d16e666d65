/**
 * Returns how long ago `then` was: `just now` up to 45 s, then whole units, rounded down but never to 0: `5 min ago`, `3 h ago`, `2 days
 * ago`. Both in ms since 1970.
 */
export function ago(then: number, now: number): string {
  const seconds = Math.max(0, (now - then) / 1000)
  if (seconds < 45) return 'just now'
  if (seconds < 3600) return `${Math.max(1, Math.floor(seconds / 60))} min ago`
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`
  return `${Math.floor(seconds / 86400)} days ago`
}

/**
 * Returns a past time as people name it, in the zone of this process: `14:02` within the last 20 hours, `Monday` within six days, else `3
 * Nov`, with the year where it is another. Both in ms since 1970.
 */
export function moment(then: number, now: number): string {
  const at = new Date(then)
  const hours = (now - then) / 3_600_000
  if (hours < 20) return clockTime(then)
  if (hours < 6 * 24) return at.toLocaleDateString('en-GB', { weekday: 'long' })
  const isThisYear = at.getFullYear() === new Date(now).getFullYear()
  return at.toLocaleDateString('en-GB', { day: 'numeric', month: 'short', ...(!isThisYear && { year: 'numeric' }) })
}

/** Returns the time of day in the zone of this process: `14:02`. `at` is in ms since 1970. */
export function clockTime(at: number): string {
  return new Date(at).toTimeString().slice(0, 5)
}

/** Formats a duration in ms: `40 s`, `5 min`. */
export function span(ms: number): string {
  const seconds = Math.round(ms / 1000)
  return seconds >= 60 && seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`
}

/** Formats a span in ms in its largest whole unit: `40 s`, `5 min`, `3 h`, `2 days`, `73 years`. */
export function largestUnit(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`
  const days = Math.floor(seconds / 86400)
  return days < 730 ? `${days} days` : `${Math.floor(days / 365.25)} years`
}

/** Returns `1 message`, `2 messages`. */
export function count(n: number, noun: string, plural = `${noun}s`): string {
  return `${n} ${n === 1 ? noun : plural}`
}
