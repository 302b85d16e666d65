/**
 * How long ago something was, in words: `just now` up to 45 s, then whole units, rounded down but never to 0: `5 min ago`, `3 h
 * ago`, `2 days ago`. Both in ms since 1970.
 */
export function ago(then: number, now: number): string {
  const seconds = Math.max(0, (now - then) / 1000)
  if (seconds < 45) return 'just now'
  if (seconds < 3600) return `${Math.max(1, Math.floor(seconds / 60))} min ago`
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h ago`
  return `${Math.floor(seconds / 86400)} days ago`
}

/** How long something takes, in words: `40 s`, `5 min`. In ms. */
export function span(ms: number): string {
  const seconds = Math.round(ms / 1000)
  return seconds >= 60 && seconds % 60 === 0 ? `${seconds / 60} min` : `${seconds} s`
}

/** A span in its largest whole unit: `40 s`, `5 min`, `3 h`, `2 days`, `73 years`. In ms. */
export function largestUnit(ms: number): string {
  const seconds = Math.round(ms / 1000)
  if (seconds < 60) return `${seconds} s`
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min`
  if (seconds < 48 * 3600) return `${Math.floor(seconds / 3600)} h`
  const days = Math.floor(seconds / 86400)
  return days < 730 ? `${days} days` : `${Math.floor(days / 365.25)} years`
}

/** `1 message`, `2 messages`. */
export function count(n: number, noun: string, plural = `${noun}s`): string {
  return `${n} ${n === 1 ? noun : plural}`
}
