/** TokenHosts to cut a text, best first: after a paragraph, a line, a sentence, a word. */
const seams = [/\n\n+/g, /\n/g, /[.!?…。！？]["')\]]*\s+/g, /\s+/g]

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' })

/**
 * Cuts `text` into parts of at most `max` UTF-16 units, each at the last good seam in its second half, and never inside a grapheme. Joined,
 * the parts are the text.
 */
export function splitText(text: string, max: number): string[] {
  const parts: string[] = []
  let rest = text
  while (rest.length > max) {
    const end = seamIn(rest.slice(0, max)) ?? graphemeEnd(rest, max)
    parts.push(rest.slice(0, end))
    rest = rest.slice(end)
  }
  return [...parts, rest]
}

/** Returns the beginning of `text`, at most `max` UTF-16 units, and how much was left out. */
export function beginningOf(text: string, max: number): string {
  if (text.length <= max) return text
  const [shown] = splitText(text, max) as [string]
  return `${shown.trimEnd()}… (${text.length - shown.length} more characters)`
}

function seamIn(window: string): number | undefined {
  for (const seam of seams) {
    let end: number | undefined
    for (const { 0: match, index } of window.matchAll(seam)) end = index + match.length
    if (end !== undefined && end > window.length / 2) return end
  }
  return undefined
}

function graphemeEnd(text: string, max: number): number {
  // A few units more than fit, so that the last grapheme that fits is complete.
  const window = text.slice(0, max + 64)
  let end = 0
  for (const { index } of graphemes.segment(window)) {
    if (index > max) break
    end = index
  }
  if (end > max / 2) return end
  // A single grapheme that long is a flood of combining marks: cut between two of its code points.
  return text.slice(0, max).isWellFormed() ? max : max - 1
}
