/** What the program reads from outside, in one form, and how one input of it is given to it. */
export interface Target {
  name: string
  /** What is given what, in one line. */
  what: string
  /** Inputs are JSON texts: they are mutated as values, and now and then as bytes. */
  json: boolean
  /** Words that mean something to what reads the inputs. */
  dictionary: readonly string[]
  /** Inputs to begin with, beside the corpus. */
  seeds: readonly string[]
  /** Most files that the corpus keeps; default 60. */
  maxFiles?: number
  open(): Promise<OpenTarget>
}

export interface OpenTarget {
  /** Gives one input to the program. Throws `Broken` where a promise is broken; any other error is the program's own, and counts as well. */
  run(input: Buffer): Promise<void>
  /** Whether it still serves, asked after every few inputs. Throws where it does not. */
  check?(): Promise<void>
  close(): Promise<void>
}

/** A promise that an input has broken. */
export class Broken extends Error {
  override name = 'Broken'
}

/** Throws `Broken` where `text`, which `where` names, has one of these secrets. */
export function holdsNoSecret(where: string, text: string, secrets: Iterable<string>): void {
  for (const secret of secrets)
    if (text.includes(secret)) throw new Broken(`${where} shows a secret: ${secret.slice(0, 6)}…`)
}

/** Stands for a text of 40,000 characters in an input, so that the files of the corpus are small. */
export const longText = '$long'
/** Stands for 2,000 arrays in one another. */
export const deepValue = '$deep'

/** The value of a JSON input, with what its placeholders stand for: `words` has those of the target. */
export function filledIn(value: unknown, words: Readonly<Record<string, () => string>> = {}): unknown {
  if (typeof value === 'string') {
    if (value === deepValue) return deep()
    return value.replaceAll(/\$[a-z]+/g, word => (word === longText ? 'x'.repeat(40_000) : (words[word]?.() ?? word)))
  }
  if (Array.isArray(value)) return value.map(each => filledIn(each, words))
  if (value !== null && typeof value === 'object') {
    const entries = Object.entries(value).map(([key, each]) => [filledIn(key, words), filledIn(each, words)])
    return Object.fromEntries(entries)
  }
  return value
}

/** The JSON of an input; undefined for what is none. */
export function jsonOf(input: Buffer): unknown {
  try {
    return JSON.parse(input.toString('utf8'))
  } catch {
    return undefined
  }
}

/** An object, whatever was given. */
export function objectOf(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function deep(): unknown {
  let value: unknown = 0
  for (let level = 0; level < 2000; level++) value = [value]
  return value
}
