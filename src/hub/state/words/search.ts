import { ClaudeNetError } from '../../../protocol/errors.ts'

/** Most characters of a token; longer words are indexed, and searched, by their first ones. */
const maxTokenLength = 32

/** Most characters of a word that is split into inner words: anything longer is no identifier. */
const maxSplitLength = 96

/** Most words of one search, not counting those that are the beginning of another. */
export const maxSearchWords = 16

/** Scripts without spaces between words, and pictographs, which stand anywhere. */
const unspaced =
  '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}ー\\p{Script=Bopomofo}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}\\p{Script=Tibetan}\\p{Extended_Pictographic}'

/** A run of an unspaced script (group 1), or a word of any other. */
const runs = new RegExp(`([${unspaced}]+)|[[\\p{L}\\p{N}\\p{M}]--[${unspaced}]]+`, 'gv')

/** The beginning of a word inside another: `get|User|Name`, `HTTP|Server`, `POL|358`. */
const innerStart = /(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})|(?<=\p{L})(?=\p{N})/gu

/**
 * Returns the tokens by which a text is found: every word, and its rest from each inner word on (`getusername`, `username`, `name`), in
 * lower case and without accents. Of text without spaces, every two neighbouring characters, and the last one.
 */
export function tokensOf(text: string): Set<string> {
  return tokensIn(withoutAccents(text))
}

/** A search: words and beginnings of words, all of which a message must have. */
export class Search {
  /** Tokens to look up in an index; with `isPrefix`, all tokens that begin with it. None for a search without a word. */
  readonly terms: readonly { token: string; isPrefix: boolean }[]
  /** Whether the terms are less specific than the search, so that the texts of matches have to be checked. */
  readonly needsText: boolean
  readonly #parts: readonly string[]

  /** Throws `invalid` when there are too many words. */
  constructor(q: string) {
    const terms = new Map<string, boolean>()
    const parts: string[] = []
    for (const [run, isUnspaced] of withoutAccents(q).matchAll(runs)) {
      const word = lowerCase(run)
      const characters = [...word]
      if (isUnspaced && characters.length > 1) {
        for (const [index, character] of characters.slice(0, -1).entries())
          terms.set(character + characters[index + 1]!, false)
      } else {
        // A single letter is a whole word: as a prefix it would match a large part of all tokens.
        const token = word.slice(0, maxTokenLength)
        terms.set(token, (terms.get(token) ?? false) || isUnspaced !== undefined || characters.length > 1)
      }
      if (isUnspaced ? characters.length > 2 : word.length > maxTokenLength) parts.push(word)
    }
    // A word that is the beginning of another adds no condition. The rest have no token in common, so that together they read each token of
    // an index at most once.
    const tokens = [...terms.keys()].sort()
    this.terms = tokens
      .filter((token, index) => !(terms.get(token) && tokens[index + 1]?.startsWith(token)))
      .map(token => ({ token, isPrefix: terms.get(token)! }))
    const words = this.terms.filter(({ isPrefix }) => isPrefix).length
    if (words > maxSearchWords) throw tooManyWords(words)
    this.#parts = parts
    this.needsText = parts.length > 0
  }

  /** Reports whether `text` matches the search. */
  isIn(text: string): boolean {
    const plain = withoutAccents(text)
    const lower = lowerCase(plain)
    // Most texts that do not match are recognized without splitting them into tokens.
    if (![...this.#parts, ...this.terms.map(({ token }) => token)].every(part => lower.includes(part))) return false
    const tokens = tokensIn(plain)
    return this.terms.every(({ token, isPrefix }) => tokens.has(token) || (isPrefix && hasPrefix(tokens, token)))
  }
}

function hasPrefix(tokens: ReadonlySet<string>, prefix: string): boolean {
  for (const token of tokens) if (token.startsWith(prefix)) return true
  return false
}

function tokensIn(plain: string): Set<string> {
  if (ascii.test(plain)) return tokensInAscii(plain)
  const tokens = new Set<string>()
  for (const [run, isUnspaced] of plain.matchAll(runs)) {
    if (isUnspaced) {
      const characters = [...lowerCase(run)]
      for (const [index, character] of characters.entries()) tokens.add(character + (characters[index + 1] ?? ''))
    } else {
      tokens.add(lowerCase(run.slice(0, maxTokenLength)))
      for (const { index } of run.slice(0, maxSplitLength).matchAll(innerStart)) {
        tokens.add(lowerCase(run.slice(index, index + maxTokenLength)))
      }
    }
  }
  return tokens
}

const [none, lower, upper, digit] = [0, 1, 2, 3]
const kinds = Uint8Array.from({ length: 128 }, (_, code) => {
  const character = String.fromCharCode(code)
  return /[a-z]/.test(character) ? lower : /[A-Z]/.test(character) ? upper : /[0-9]/.test(character) ? digit : none
})

/** Does the same for texts in ASCII, many times as fast: a search may have to split many texts. */
function tokensInAscii(plain: string): Set<string> {
  const tokens = new Set<string>()
  const text = plain.toLowerCase()
  let [start, before] = [0, none]
  for (let index = 0; index < plain.length; index++) {
    const kind = kinds[plain.charCodeAt(index)]!
    if (before === none) start = index
    const isStart =
      before === none ||
      (kind === upper &&
        (before !== upper || (index + 1 < plain.length && kinds[plain.charCodeAt(index + 1)] === lower))) ||
      (kind === digit && before !== digit)
    if (kind !== none && isStart && index - start < maxSplitLength) {
      tokens.add(text.slice(index, Math.min(index + maxTokenLength, endOfWord(plain, index))))
    }
    before = kind
  }
  return tokens
}

function endOfWord(plain: string, from: number): number {
  const most = Math.min(plain.length, from + maxTokenLength)
  let end = from
  while (end < most && kinds[plain.charCodeAt(end)] !== none) end++
  return end
}

const ascii = /^[\0-\x7f]*$/
const accents = /[\u0300-\u036f]/g

function withoutAccents(text: string): string {
  if (ascii.test(text)) return text
  return text.normalize('NFKD').replace(accents, '').normalize('NFC')
}

/** Returns `text` in lower case, with the final sigma of a Greek word as a sigma: the word may be longer in another text. */
function lowerCase(text: string): string {
  return text.toLowerCase().replaceAll('ς', 'σ')
}

function tooManyWords(words: number): ClaudeNetError {
  return new ClaudeNetError(
    'invalid',
    `The search has ${words} words; ${maxSearchWords} is the most.`,
    'Search for the few that say most, or narrow it to one member (with) or to what is older than a message (before).',
  )
}
