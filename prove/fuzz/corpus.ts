import { hash } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** Maximum size of all files of a corpus together, in bytes. */
const maxBytes = 100_000
const maxFiles = 60

/** Name prefix of inputs that have failed once: they are never removed. */
const failedOnce = 'failed-'

export interface Kept {
  name: string
  input: Buffer
}

/** The inputs of one target, as files: `prove/fuzz/corpus/TARGET/`. */
export class Corpus {
  readonly dir: string
  readonly #maxFiles: number

  constructor(target: string, most = maxFiles) {
    this.dir = join(import.meta.dirname, 'corpus', target)
    this.#maxFiles = most
  }

  /** Returns all inputs, ordered by name; empty if there is no corpus. */
  read(): Kept[] {
    try {
      const names = readdirSync(this.dir).sort()
      return names.map(name => ({ name, input: readFileSync(join(this.dir, name)) }))
    } catch {
      return []
    }
  }

  /** Replaces the corpus by the first of `inputs` that fit, and keeps those that have failed once. */
  replace(inputs: readonly Buffer[]): void {
    const stay = this.read().filter(({ name }) => name.startsWith(failedOnce))
    let bytes = stay.reduce((sum, { input }) => sum + input.byteLength, 0)
    const names = new Set(stay.map(({ name }) => name))
    const isThere = new Set(stay.map(({ input }) => nameOf(input)))
    mkdirSync(this.dir, { recursive: true })
    for (const input of inputs) {
      const name = nameOf(input)
      if (isThere.has(name) || names.size >= this.#maxFiles || bytes + input.byteLength > maxBytes) continue
      names.add(name)
      bytes += input.byteLength
      writeFileSync(join(this.dir, name), input)
    }
    for (const name of readdirSync(this.dir)) if (!names.has(name)) rmSync(join(this.dir, name))
  }
}

function nameOf(input: Buffer): string {
  return hash('sha256', input).slice(0, 12)
}
