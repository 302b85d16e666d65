import { AsyncLocalStorage } from 'node:async_hooks'
import { createHash } from 'node:crypto'
import { chanceOf, type Random } from './random.ts'

/** Start of the simulated time, in ms since 1970. */
const beginning = Date.UTC(2030, 0, 1)

/** Number of characters of notes that are buffered before they are added to the digest. */
const maxNotes = 100_000

/** The real `setImmediate`: between two steps of a simulation it lets everything that is ready run. */
const realImmediate = globalThis.setImmediate

/** A process of the simulation. Once it is killed, the steps that it scheduled do not run. */
export class SimProcess {
  readonly name: string
  isAlive = true
  readonly bootedAt: number
  /** Deviation of its wall clock from the true time, in ms. */
  skewMs = 0
  /** Time until which it is stopped (SIGSTOP) or blocked on its disk: its steps are postponed until then. */
  busyUntil = 0

  constructor(name: string, bootedAt: number) {
    this.name = name
    this.bootedAt = bootedAt
  }
}

interface Step {
  at: number
  order: number
  label: string
  process: SimProcess | undefined
  run: () => void
}

/** Cancels a step that has not run yet. */
export type Cancel = () => void

const current = new AsyncLocalStorage<SimProcess>()

/**
 * The scheduler of a simulation: runs steps in the order of their simulated time. Between two steps, all promises that are ready run, in a
 * fixed order; so a seed leads to one schedule, whose digest shows whether two runs were the same.
 */
export class World {
  readonly seed: number
  now = 0
  steps = 0
  /** Random bytes for the program, such as for ids. */
  readonly bytes: Random
  /** Called before each step of a process, which it may kill. */
  onStep: (process: SimProcess, label: string) => void = () => {}
  readonly #heap: Step[] = []
  readonly #digest = createHash('sha256')
  #notes = ''
  #order = 0
  #failure: { error: unknown } | undefined

  constructor(seed: number) {
    this.seed = seed
    this.bytes = chanceOf(seed, 'bytes')
  }

  /** Process of the running code. */
  get process(): SimProcess | undefined {
    return current.getStore()
  }

  boot(name: string): SimProcess {
    return new SimProcess(name, this.now)
  }

  /** Runs `work` and everything it starts as `process`. */
  as<T>(process: SimProcess, work: () => T): T {
    return current.run(process, work)
  }

  /** Returns the wall clock of the running process, in ms since 1970. */
  wallClock(): number {
    return Math.floor(beginning + this.here + (this.process?.skewMs ?? 0))
  }

  /** Returns the monotonic clock of the running process, in ms since it was started. */
  monotonic(): number {
    return this.here - (this.process?.bootedAt ?? 0)
  }

  /** Time of the running process, which is later than `now` if it has blocked on its disk. */
  get here(): number {
    return Math.max(this.now, this.process?.busyUntil ?? 0)
  }

  /** Blocks the running process: for it, `ms` have passed when this returns. */
  block(ms: number): void {
    if (this.process) this.process.busyUntil = this.here + ms
  }

  /** Schedules `run` in `delayMs`, unless the running process has ended by then. */
  schedule(label: string, delayMs: number, run: () => void): Cancel {
    const at = this.here + Math.max(0, delayMs)
    return this.#push({ at, order: this.#order++, label, process: this.process, run })
  }

  /** Schedules `run` outside of any process, as for the network or the start of a process. */
  scheduleOutside(label: string, delayMs: number, run: () => void): Cancel {
    return this.scheduleAt(label, this.here + Math.max(0, delayMs), run)
  }

  /** Schedules `run` outside of any process at a time. Steps at the same time run in the order of these calls. */
  scheduleAt(label: string, at: number, run: () => void): Cancel {
    return this.#push({ at, order: this.#order++, label, process: undefined, run })
  }

  sleep(ms: number, label = 'sleep'): Promise<void> {
    return new Promise(resolve => this.schedule(label, ms, resolve))
  }

  /** Ends the run with an error that must not occur in any simulation. */
  fail(error: unknown): void {
    this.#failure ??= { error }
  }

  /** Adds an observation to the digest. */
  note(text: string): void {
    this.#notes += `${this.now} ${text}\n`
    if (this.#notes.length > maxNotes) this.#digestNotes()
  }

  /** Ends and returns the digest. */
  digest(): string {
    this.#digestNotes()
    return this.#digest.digest('hex').slice(0, 16)
  }

  /** Runs steps until `work` is done. Throws if no step is left, or it takes longer than `limitMs` of simulated time. */
  async until<T>(work: Promise<T>, limitMs: number): Promise<T> {
    let result: { value: T } | { error: unknown } | undefined
    work.then(
      value => (result = { value }),
      error => (result = { error }),
    )
    const end = this.now + limitMs
    await settled()
    while (result === undefined) {
      const step = this.#pop()
      if (!step) throw new Stuck('no step is left')
      if (step.at > end) throw new Stuck(`it was not done within ${limitMs / 1000} simulated seconds`)
      await this.#take(step)
      if (this.#failure) throw this.#failure.error
    }
    if ('error' in result) throw result.error
    return result.value
  }

  #digestNotes(): void {
    this.#digest.update(this.#notes)
    this.#notes = ''
  }

  async #take(step: Step): Promise<void> {
    const { at, label, process } = step
    if (process && !process.isAlive) return
    if (process && process.busyUntil > at) {
      this.#push(Object.assign(step, { at: process.busyUntil, order: this.#order++ }))
      return
    }
    this.now = at
    this.steps++
    this.note(`${process?.name ?? '-'} ${label}`)
    if (process) {
      this.onStep(process, label)
      if (!process.isAlive) return
      current.run(process, step.run)
    } else current.exit(step.run)
    await settled()
  }

  #push(step: Step): Cancel {
    const heap = this.#heap
    let index = heap.push(step) - 1
    while (index > 0) {
      const parent = (index - 1) >> 1
      if (isBefore(heap[parent]!, step)) break
      heap[index] = heap[parent]!
      index = parent
    }
    heap[index] = step
    return () => {
      step.run = () => {}
      step.label = 'cancelled'
    }
  }

  #pop(): Step | undefined {
    const heap = this.#heap
    const first = heap[0]
    const last = heap.pop()
    if (!first || !last || heap.length === 0) return first
    let index = 0
    for (;;) {
      let child = 2 * index + 1
      if (child >= heap.length) break
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++
      if (isBefore(last, heap[child]!)) break
      heap[index] = heap[child]!
      index = child
    }
    heap[index] = last
    return first
  }
}

/** Error of a simulation that does not reach its end. */
export class Stuck extends Error {
  override name = 'Stuck'
}

function isBefore(one: Step, other: Step): boolean {
  return one.at === other.at ? one.order < other.order : one.at < other.at
}

/** Resolves when all promises that are ready have run. */
function settled(): Promise<void> {
  return new Promise(resolve => realImmediate(resolve))
}
