import { ClaudeNetError } from '../../../protocol/errors.ts'

/** Most characters of a token; longer words are indexed, and looked for, by as many. */
const maxTokenLength = 32

/** Most characters of one word that are looked through for words inside it: what is longer is no identifier. */
const maxSplitLength = 96

/** Most words of one search that none of the others begins with. */
export const maxSearchWords = 16

/** Scripts that write no space between words, and pictographs, which stand anywhere. */
const unspaced =
  '\\p{Script=Han}\\p{Script=Hiragana}\\p{Script=Katakana}ー\\p{Script=Bopomofo}\\p{Script=Thai}\\p{Script=Lao}\\p{Script=Khmer}\\p{Script=Myanmar}\\p{Script=Tibetan}\\p{Extended_Pictographic}'

/** A run of an unspaced script (group 1), or a word of any other. */
const runs = new RegExp(`([${unspaced}]+)|[[\\p{L}\\p{N}\\p{M}]--[${unspaced}]]+`, 'gv')

/** Where a word begins inside another: `get|User|Name`, `HTTP|Server`, `POL|358`. */
const innerStart = /(?<=[\p{Ll}\p{N}])(?=\p{Lu})|(?<=\p{Lu})(?=\p{Lu}\p{Ll})|(?<=\p{L})(?=\p{N})/gu

/**
 * What a text is found by, each once: every word, and its end from each word inside it on (`getusername`, `username`, `name`), in
 * lower case and without accents. Of text without spaces, every two neighbouring characters, and the last one.
 */
export function tokensOf(text: string): Set<string> {
  return tokensIn(withoutAccents(text))
}

/** What somebody looks for: words and beginnings of words, all of which a message must have. */
export class Search {
  /** Tokens to look up in an index; of `isPrefix`, every token that begins with it. None for a text without a word. */
  readonly terms: readonly { token: string; isPrefix: boolean }[]
  /** Whether the terms say less than what was asked for, so that a text that has them is still to be looked at. */
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
        // A single letter is a word of its own: as the beginning of others it would stand for a good part of all there are.
        const token = word.slice(0, maxTokenLength)
        terms.set(token, (terms.get(token) ?? false) || isUnspaced !== undefined || characters.length > 1)
      }
      if (isUnspaced ? characters.length > 2 : word.length > maxTokenLength) parts.push(word)
    }
    // A word that another one begins with asks for nothing more. What is left has no token in common, so that all of them
    // together read each token of an index once at most.
    const tokens = [...terms.keys()].sort()
    this.terms = tokens
      .filter((token, index) => !(terms.get(token) && tokens[index + 1]?.startsWith(token)))
      .map(token => ({ token, isPrefix: terms.get(token)! }))
    const words = this.terms.filter(({ isPrefix }) => isPrefix).length
    if (words > maxSearchWords) throw tooManyWords(words)
    this.#parts = parts
    this.needsText = parts.length > 0
  }

  /** Whether `text` has all that is looked for. */
  isIn(text: string): boolean {
    const plain = withoutAccents(text)
    const lower = lowerCase(plain)
    // Most texts are told apart without cutting them into tokens.
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

/** The same for most texts, many times as fast: a search may have to cut many of them. */
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

/** The last sigma of a Greek word is a sigma: its word may go on in another text. */
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
