/** A piece of a text; `isHit` if it matches the search. Together the pieces are the text. */
export interface Piece {
  text: string
  isHit: boolean
}

/** Most characters before the first hit in an excerpt, and most in total. */
const before = 60
const most = 280

/**
 * Splits the text into pieces; each word that starts with a word of `query` is a hit. Case and accents do not count, as in the hub's
 * search.
 */
export function marked(text: string, query: string): Piece[] {
  const terms = wordsOf(query)
  const pieces: Piece[] = []
  let end = 0
  for (const [start, stop] of terms.length === 0 ? [] : hitsIn(text, terms)) {
    if (start > end) pieces.push({ text: text.slice(end, start), isHit: false })
    pieces.push({ text: text.slice(start, stop), isHit: true })
    end = stop
  }
  if (end < text.length) pieces.push({ text: text.slice(end), isHit: false })
  return pieces
}

/** Returns the part of a text around its first hit, with an ellipsis where text is left out. */
export function excerpt(text: string, query: string): string {
  const terms = wordsOf(query)
  const [hit] = terms.length === 0 ? [] : hitsIn(text, terms)
  const start = hit && hit[0] > before ? wordStart(text, hit[0] - before) : 0
  const whole = [...text.slice(start, start + 2 * most)]
  const cut = whole.slice(0, most).join('')
  return `${start > 0 ? '…' : ''}${cut}${start + cut.length < text.length ? '…' : ''}`
}

function wordStart(text: string, from: number): number {
  const space = text.indexOf(' ', from)
  const start = space < 0 || space > from + before / 2 ? from : space + 1
  // Not within a surrogate pair.
  return /[\udc00-\udfff]/.test(text[start] ?? '') ? start + 1 : start
}

function wordsOf(query: string): string[] {
  return folded(query).text.match(/[\p{L}\p{N}]+/gu) ?? []
}

function hitsIn(text: string, terms: readonly string[]): [number, number][] {
  const { text: plain, places } = folded(text)
  const each = [...terms].sort((a, b) => b.length - a.length).join('|')
  const hits: [number, number][] = []
  for (const { index, 0: hit } of plain.matchAll(new RegExp(each, 'gu'))) {
    const [start, stop] = [places[index]!, places[index + hit.length]!]
    if (isBeginning(text, start)) hits.push([start, stop])
  }
  return hits
}

/** Matches the start of a word, also inside an identifier; in scripts without spaces, anywhere. */
function isBeginning(text: string, at: number): boolean {
  const [last, first] = [text.slice(0, at).at(-1) ?? '', text[at] ?? '']
  if (!/[\p{L}\p{N}]/u.test(last)) return true
  if (/\p{Script=Han}|\p{Script=Hiragana}|\p{Script=Katakana}|\p{Script=Thai}/u.test(first)) return true
  return (/\p{Ll}|\p{N}/u.test(last) && /\p{Lu}/u.test(first)) || (/\p{L}/u.test(last) && /\p{N}/u.test(first))
}

/** Returns a text in lower case without accents, and for each of its units the position in the original, with the end after the last. */
function folded(text: string): { text: string; places: number[] } {
  const places: number[] = []
  let plain = ''
  let at = 0
  for (const char of text) {
    const small = char < '\x80' ? char.toLowerCase() : char.normalize('NFD').replace(/\p{M}/gu, '').toLowerCase()
    for (let unit = 0; unit < small.length; unit++) places.push(at)
    plain += small
    at += char.length
  }
  return { text: plain, places: [...places, at] }
}
