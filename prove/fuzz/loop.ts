import { hash } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { chanceOf, pick } from '../sim/random.ts'
import { Corpus } from './corpus.ts'
import { Coverage, type Covered, holds } from './coverage.ts'
import { mutated } from './mutate.ts'
import { smaller } from './shrink.ts'
import { Broken, type OpenTarget, type Target } from './target.ts'
import { Watchdog } from './watchdog.ts'

export interface FuzzOptions {
  seed: number
  /** Limits of the run: the first one that is reached ends it; 0 rounds replay the corpus only. */
  rounds: number
  seconds: number
  /** Whether inputs that reach new code are saved as files. */
  keeps: boolean
  say: (text: string) => void
}

export interface FuzzFailure {
  what: string
  /** File with the input. */
  file: string
}

export interface FuzzResult {
  target: string
  /** Number of inputs run, including those of the corpus and of shrinking. */
  inputs: number
  /** Characters of the program's text that ran. */
  covered: number
  corpus: number
  /** Number of new inputs that reached new code. */
  found: number
  slowestMs: number
  /** Growth of the memory in use, measured after garbage collection, from the first measurement to the last, in MiB. */
  grownMiB: number
  seconds: number
  /** Hash of all inputs in order: the same for the same seed, corpus and coverage. */
  digest: string
  failures: FuzzFailure[]
}

/** Time limit for one input, in ms; longer in a replay, which tests run on busy machines. */
const maxInputMs = { fuzz: 10_000, replay: 40_000 }
/** Inputs between two measurements of coverage: one measurement takes as long as many inputs. */
const batchSize = 16
/** Inputs between two measurements of the memory in use. */
const memoryEvery = 1000
/** Maximum growth of the memory in use since the first measurement, in MiB. */
const maxGrowthMiB = 64
const maxFailures = 20

/** Runs a target with the inputs of its corpus, then with mutations of those that reached new code. */
export async function fuzz(target: Target, options: FuzzOptions): Promise<FuzzResult> {
  const run = await Run.open(target, options)
  try {
    return await run.all()
  } finally {
    await run.close()
  }
}

/** Runs a target with one input. Returns its failures. */
export async function tryInput(target: Target, input: Buffer, say: (text: string) => void): Promise<FuzzFailure[]> {
  const run = await Run.open(target, { seed: 0, rounds: 0, seconds: 0, keeps: false, say })
  try {
    return await run.one(input)
  } finally {
    await run.close()
  }
}

class Run {
  readonly #target: Target
  readonly #options: FuzzOptions
  readonly #open: OpenTarget
  readonly #corpus: Corpus
  readonly #dir = mkdtempSync(join(tmpdir(), 'claude-net-fuzz-'))
  readonly #watchdog: Watchdog
  readonly #maxMs: number
  readonly #coverage: Coverage | undefined
  /** Uncaught errors. */
  readonly #uncaught: unknown[] = []
  readonly #noteUncaught = (error: unknown) => void this.#uncaught.push(error)
  readonly #failures = new Map<string, FuzzFailure>()
  #inputs = 0
  #slowestMs = 0
  #digest = ''

  static async open(target: Target, options: FuzzOptions): Promise<Run> {
    return new Run(target, options, await target.open())
  }

  private constructor(target: Target, options: FuzzOptions, open: OpenTarget) {
    this.#target = target
    this.#options = options
    this.#open = open
    this.#corpus = new Corpus(target.name, target.maxFiles)
    this.#maxMs = options.rounds > 0 ? maxInputMs.fuzz : maxInputMs.replay
    this.#watchdog = new Watchdog(join(this.#dir, 'hung'), 2 * this.#maxMs)
    if (options.rounds > 0) this.#coverage = new Coverage(pathToFileURL(join(import.meta.dirname, '../../src/')).href)
    for (const event of ['uncaughtException', 'unhandledRejection'] as const) process.on(event, this.#noteUncaught)
  }

  async one(input: Buffer): Promise<FuzzFailure[]> {
    await this.#give(input)
    await this.#check([input])
    return [...this.#failures.values()]
  }

  async all(): Promise<FuzzResult> {
    const began = performance.now()
    const seconds = () => (performance.now() - began) / 1000
    const { rounds, seed } = this.#options
    const pool: { input: Buffer; covered: Covered }[] = []
    this.#coverage?.take()
    const first = this.#corpus.read().map(({ input }) => input)
    if (rounds > 0) first.push(...this.#target.seeds.map(text => Buffer.from(text)))
    for (const input of first) pool.push({ input, covered: await this.#runAlone(input) })
    await this.#check(first)
    for (const { covered } of pool) this.#coverage?.note(covered)
    const before = pool.length
    const memory: number[] = []
    const random = chanceOf(seed, this.#target.name)
    for (let round = 0; round < rounds && seconds() < this.#options.seconds && this.#failures.size < maxFailures; ) {
      const others = pool.map(({ input }) => input)
      const batch: Buffer[] = []
      for (; batch.length < batchSize && round < rounds; round++) {
        // Prefers newer inputs, which have reached code that older ones have not.
        const parent = others[Math.floor(Math.sqrt(random()) * others.length)] ?? Buffer.from('')
        batch.push(mutated(random, random() < 0.3 ? pick(random, others) : parent, { ...this.#target, others }))
      }
      for (const input of batch) {
        this.#digest = hash('sha256', this.#digest + input.toString('base64'))
        await this.#give(input)
      }
      await this.#check(batch)
      if (this.#isNew(this.#coverage!.take()))
        for (const input of batch) {
          const kept = await this.#smallest(input)
          if (kept) pool.push(kept)
        }
      if (this.#inputs >= (memory.length + 1) * memoryEvery) memory.push(inUseMiB())
    }
    const grownMiB = memory.length > 1 ? memory.at(-1)! - memory[0]! : 0
    if (grownMiB > maxGrowthMiB) this.#fail(`memory in use has grown by ${grownMiB} MiB`, Buffer.from(''))
    if (this.#options.keeps && this.#coverage) this.#keep(pool)
    return {
      target: this.#target.name,
      inputs: this.#inputs,
      covered: this.#coverage?.size ?? 0,
      corpus: this.#corpus.read().length,
      found: pool.length - before,
      slowestMs: Math.round(this.#slowestMs),
      grownMiB,
      seconds: Math.round(seconds()),
      digest: this.#digest.slice(0, 16),
      failures: [...this.#failures.values()],
    }
  }

  async close(): Promise<void> {
    await this.#open.close()
    await this.#watchdog.close()
    if (this.#failures.size === 0) rmSync(this.#dir, { recursive: true, force: true })
    this.#coverage?.close()
    for (const event of ['uncaughtException', 'unhandledRejection'] as const) process.off(event, this.#noteUncaught)
  }

  #isNew(covered: Covered): boolean {
    return this.#coverage!.newIn(covered).size > 0
  }

  /** Returns the input shrunk as far as it still reaches its new code; undefined if it reaches nothing new alone. */
  async #smallest(input: Buffer): Promise<{ input: Buffer; covered: Covered } | undefined> {
    const coverage = this.#coverage!
    const all = await this.#runAlone(input)
    const fresh = coverage.newIn(all)
    if (fresh.size === 0) return undefined
    const small = await smaller(input, this.#target.json, async less => holds(await this.#runAlone(less), fresh))
    const covered = small === input ? all : await this.#runAlone(small)
    coverage.note(all)
    coverage.note(covered)
    return { input: small, covered }
  }

  async #runAlone(input: Buffer): Promise<Covered> {
    this.#coverage?.take()
    await this.#give(input)
    return this.#coverage?.take() ?? new Map()
  }

  /** Runs one input and records its failures. */
  async #give(input: Buffer): Promise<void> {
    this.#inputs++
    const why = await this.#wrong(input)
    if (why !== undefined && !this.#failures.has(kindOf(why))) {
      const small = await smaller(
        input,
        this.#target.json,
        async less => kindOf((await this.#wrong(less)) ?? '') === kindOf(why),
      )
      this.#fail(why, small)
    }
  }

  async #wrong(input: Buffer): Promise<string | undefined> {
    const began = performance.now()
    this.#watchdog.begins(input)
    try {
      await this.#inTime(this.#open.run(input))
      // A promise that is not awaited rejects in a later turn of the event loop.
      await new Promise(resolve => setImmediate(resolve))
      const [uncaught] = this.#uncaught.splice(0)
      return uncaught === undefined ? undefined : `uncaught: ${inWords(uncaught)}`
    } catch (error) {
      return inWords(error)
    } finally {
      this.#watchdog.ended()
      this.#slowestMs = Math.max(this.#slowestMs, performance.now() - began)
    }
  }

  async #check(inputs: readonly Buffer[]): Promise<void> {
    try {
      await this.#inTime(this.#open.check?.())
    } catch (error) {
      this.#fail(`after ${inputs.length} inputs: ${inWords(error)}`, inputs.at(-1) ?? Buffer.from(''))
    }
  }

  /** Throws `Broken` if it does not end within the time limit of an input. */
  async #inTime(running: Promise<void> | undefined): Promise<void> {
    const late = Promise.withResolvers<never>()
    const timer = setTimeout(() => late.reject(new Broken(`no end within ${this.#maxMs} ms`)), this.#maxMs)
    try {
      await Promise.race([running, late.promise])
    } finally {
      clearTimeout(timer)
    }
  }

  #fail(what: string, input: Buffer): void {
    const kind = kindOf(what)
    if (this.#failures.has(kind)) return
    const file = join(this.#dir, hash('sha256', input).slice(0, 12))
    writeFileSync(file, input)
    this.#failures.set(kind, { what, file })
    this.#options.say(`${this.#target.name}: ${what.slice(0, 500)}`)
  }

  /** Saves the smallest inputs that together reach all code reached. */
  #keep(pool: readonly { input: Buffer; covered: Covered }[]): void {
    const needed = new Coverage('none:')
    const kept: Buffer[] = []
    for (const { input, covered } of pool.toSorted((a, b) => a.input.byteLength - b.input.byteLength)) {
      if (needed.newIn(covered).size === 0) continue
      needed.note(covered)
      kept.push(input)
    }
    needed.close()
    this.#corpus.replace(kept)
  }
}

function inWords(error: unknown): string {
  if (!(error instanceof Error)) return String(error)
  if (error.name === 'Broken') return error.message
  const [, place] = /\n\s+at (.*)/.exec(error.stack ?? '') ?? []
  return `${error.name}: ${error.message}${place ? ` (${place})` : ''}`
}

/** Returns the kind of a failure: its text, without numbers, ids and names. */
function kindOf(what: string): string {
  return what.replaceAll(/[0-9a-f]{6,}|\d+|'[^']*'|"[^"]*"/g, '#').slice(0, 120)
}

let collect: (() => void) | undefined

function inUseMiB(): number {
  setFlagsFromString('--expose-gc')
  collect ??= runInNewContext('gc') as () => void
  collect()
  const { heapUsed, external } = process.memoryUsage()
  return Math.round((heapUsed + external) / 2 ** 20)
}
