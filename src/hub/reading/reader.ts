import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { Database } from '../state/store/database.ts'
import { noWords } from '../state/words/word-index.ts'
import { type AnswerTo, type ArgumentOf, type AskName, asks, type Desk } from './asks.ts'
import { FairQueue } from './fair-queue.ts'
import { type Answer, type Files, type Question, type Ready, ready, tooLong } from './wire.ts'

export interface ReaderOptions {
  files: Files
  /** The store, where no other thread can open it: asks are then answered by this one, and have less time. */
  alone?: Database
  /** Called when the thread could not read the store somewhere, with what SQLite said, before that ask is answered. */
  onDamage?: (found: string) => void
  /** See `Journal.settling`: an answer waits for it. */
  settling?: () => Promise<void> | undefined
  /** How long one ask may take, in ms. */
  limitMs?: number
  /** How much longer before its thread is ended, in ms: it looks at the clock itself, but not within one step of SQLite. */
  graceMs?: number
  /** The thread's own file. */
  thread?: string
  /** How long the thread is kept while nothing is asked, in ms. */
  idleMs?: number
}

/** How long a thread may take to start, in ms. */
const startLimitMs = 30_000

/** Most threads that were told to end and have not, because SQLite is in the middle of something. */
const maxEnding = 2

/** How long an ask may take that no other thread can answer, in ms. */
const limitHereMs = 250

interface Job {
  question: Question
  resolve: (value: never) => void
  reject: (error: Error) => void
}

/**
 * Runs the queries whose cost grows with what is stored in a thread of their own, one at a time, so that no request waits for
 * them but those that ask. The thread is started when it is first needed and ended when nothing is asked for a while, or when an ask
 * overruns its time. Callers take turns.
 */
export class Reader implements AsyncDisposable {
  readonly #options: Required<Omit<ReaderOptions, 'alone'>>
  readonly #desk: Desk | undefined
  #endsAt = Infinity
  readonly #queue = new FairQueue<Job>()
  readonly #ending = new Set<Promise<unknown>>()
  #thread: Worker | undefined
  #running: Job | undefined
  /** Calls to make before the next ask, while the thread reads nothing. */
  #pauses: (() => void)[] = []
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor({ alone, ...options }: ReaderOptions) {
    this.#desk = alone && this.#makeDesk(alone)
    const defaults = {
      onDamage: () => {},
      settling: () => undefined,
      thread: threadFile(),
      limitMs: 4000,
      graceMs: 1000,
      idleMs: 60_000,
    }
    this.#options = { ...defaults, ...options }
  }

  /**
   * Answers an ask of `asks.ts` for the caller `by`, from what was stored before. Throws `too_large` when it takes too long,
   * `rate_limited` when this caller has too many waiting, and what the ask itself throws.
   */
  ask<Name extends AskName>(name: Name, argument: ArgumentOf<Name>, by: string): Promise<Awaited<AnswerTo<Name>>> {
    if (this.#isClosed) return Promise.reject(stopping())
    if (this.#desk) return this.#answerHere(this.#desk, name, argument)
    return new Promise((resolve, reject) => {
      const question = { name, argument, limitMs: this.#options.limitMs }
      if (!this.#queue.add(by, { question, resolve, reject })) reject(tooMany())
      else this.#next()
    })
  }

  /** Calls `work` as soon as the thread reads nothing, before the next ask, and returns what it returns. */
  whileIdle<T>(work: () => T): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#pauses.push(() => {
        try {
          resolve(work())
        } catch (error) {
          reject(error)
        }
      })
      this.#next()
    })
  }

  /** Answers what waits with `unavailable`, and returns once no thread has the files open. */
  async close(): Promise<void> {
    this.#isClosed = true
    clearTimeout(this.#timer)
    for (const { reject } of this.#queue.clear()) reject(stopping())
    this.#running?.reject(stopping())
    this.#running = undefined
    this.#end()
    await Promise.all(this.#ending)
    for (const pause of this.#pauses.splice(0)) pause()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #makeDesk(db: Database): Desk {
    const check = () => {
      if (performance.now() > this.#endsAt) throw tooLong()
    }
    db.addCheck('in_time', check)
    return {
      db,
      words: noWords,
      audit: () => {
        throw new ClaudeNetError(
          'unavailable',
          'The audit cannot be read: the disk was full when the hub started.',
          'Free space on the hub, then restart it.',
        )
      },
      check,
    }
  }

  async #answerHere<Name extends AskName>(
    desk: Desk,
    name: Name,
    argument: ArgumentOf<Name>,
  ): Promise<Awaited<AnswerTo<Name>>> {
    this.#endsAt = performance.now() + limitHereMs
    return asks[name](desk, argument as never) as Awaited<AnswerTo<Name>>
  }

  #next(): void {
    if (this.#running) return
    // A thread that was told to end may still be reading.
    if (this.#pauses.length > 0 && this.#ending.size > 0) return
    for (const pause of this.#pauses.splice(0)) pause()
    if (this.#ending.size >= maxEnding || this.#isClosed) return
    const job = this.#queue.take()
    clearTimeout(this.#timer)
    if (!job) {
      this.#timer = setTimeout(() => this.#end(), this.#options.idleMs).unref()
      return
    }
    this.#running = job
    if (this.#thread) this.#put(job, this.#thread)
    else {
      this.#thread = this.#start()
      this.#timer = setTimeout(() => this.#overrun(job), startLimitMs)
    }
  }

  #put(job: Job, thread: Worker): void {
    clearTimeout(this.#timer)
    thread.postMessage(job.question)
    this.#timer = setTimeout(() => this.#overrun(job), this.#options.limitMs + this.#options.graceMs)
  }

  #start(): Worker {
    const thread = new Worker(this.#options.thread, {
      workerData: this.#options.files,
      name: 'reader',
      // What it needs besides is SQLite's, outside of the heap.
      resourceLimits: { maxOldGenerationSizeMb: 128 },
    })
    thread.unref()
    thread.on('message', (answer: Answer | Ready) => {
      if (thread !== this.#thread) return
      if (answer !== ready) this.#answered(answer)
      else if (this.#running) this.#put(this.#running, thread)
    })
    thread.on('error', error => {
      if (thread === this.#thread) this.#broke(error)
    })
    return thread
  }

  #answered(answer: Answer): void {
    const job = this.#running
    this.#running = undefined
    if (answer.damage !== undefined) this.#options.onDamage(answer.damage)
    if (!job) return
    const settling = this.#options.settling()
    if (!settling) this.#tell(job, answer)
    else settling.then(() => this.#tell(job, answer), job.reject)
    // Not at once: while answers come one on the heels of the other, Node looks at nothing else.
    setImmediate(() => this.#next())
  }

  #tell(job: Job, answer: Answer): void {
    if ('value' in answer) job.resolve(answer.value as never)
    else if ('refusal' in answer) job.reject(ClaudeNetError.fromBody(answer.refusal))
    else job.reject(Object.assign(new Error(answer.error.message), answer.error))
  }

  /** The thread ended by an error of its own; the next ask starts another. */
  #broke(error: Error): void {
    this.#thread = undefined
    this.#running?.reject(error)
    this.#running = undefined
    this.#next()
  }

  #overrun(job: Job): void {
    if (this.#running !== job) return
    this.#running = undefined
    job.reject(tooLong())
    this.#end()
    this.#next()
  }

  #end(): void {
    const thread = this.#thread
    this.#thread = undefined
    if (!thread) return
    const ended = thread.terminate().finally(() => {
      this.#ending.delete(ended)
      this.#next()
    })
    this.#ending.add(ended)
  }
}

/** The thread's own file: a bundle beside this one where the hub is bundled, its source where it runs from source. */
function threadFile(): string {
  const bundled = join(import.meta.dirname, 'hub-reader.mjs')
  return existsSync(bundled) ? bundled : join(import.meta.dirname, 'thread.ts')
}

function tooMany(): ClaudeNetError {
  return new ClaudeNetError('rate_limited', 'Too many searches of yours are waiting.', 'Wait for their answers.', 1000)
}

function stopping(): ClaudeNetError {
  return new ClaudeNetError('unavailable', 'The hub is stopping.', 'Try again in a moment.')
}
