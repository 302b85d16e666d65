/** One kind of external input that the program reads, and how to run the program with it. */
export interface Target {
  name: string
  /** Description in one line. */
  what: string
  /** Whether inputs are JSON: then they are mutated as values, and sometimes as bytes. */
  json: boolean
  /** Words that have a meaning in the inputs. */
  dictionary: readonly string[]
  /** Initial inputs, besides the corpus. */
  seeds: readonly string[]
  /** Maximum number of files in the corpus; default 60. */
  maxFiles?: number
  open(): Promise<OpenTarget>
}

export interface OpenTarget {
  /**
   * Runs the program with one input. Throws `Broken` for a broken promise; any other error comes from the program, and is a failure too.
   */
  run(input: Buffer): Promise<void>
  /** Called after every few inputs. Throws if the program no longer works. */
  check?(): Promise<void>
  close(): Promise<void>
}

/** Thrown for a promise that an input has broken. */
export class Broken extends Error {
  override name = 'Broken'
}

/** Throws `Broken` if `text`, named by `where`, contains one of these secrets. */
export function holdsNoSecret(where: string, text: string, secrets: Iterable<string>): void {
  for (const secret of secrets)
    if (text.includes(secret)) throw new Broken(`${where} shows a secret: ${secret.slice(0, 6)}…`)
}

/** Placeholder for a text of 40,000 characters, which keeps the files of the corpus small. */
export const longText = '$long'
/** Placeholder for 2,000 nested arrays. */
export const deepValue = '$deep'

/** Expands the placeholders in a parsed JSON input; `words` contains those of the target. */
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

/** Parses an input as JSON; returns undefined if it is not. */
export function jsonOf(input: Buffer): unknown {
  try {
    return JSON.parse(input.toString('utf8'))
  } catch {
    return undefined
  }
}

/** Returns `value` if it is an object, else an empty one. */
export function objectOf(value: unknown): Record<string, unknown> {
  return value !== null && typeof value === 'object' && !Array.isArray(value) ? (value as Record<string, unknown>) : {}
}

function deep(): unknown {
  let value: unknown = 0
  for (let level = 0; level < 2000; level++) value = [value]
  return value
}
