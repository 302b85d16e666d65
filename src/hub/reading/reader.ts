import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { Database } from '../state/store/database.ts'
import { noWords } from '../state/words/word-index.ts'
import { FairQueue } from './fair-queue.ts'
import { type AnswerTo, type ArgumentOf, type QuestionContext, type QuestionName, questions } from './questions.ts'
import { type Answer, type Files, type Question, type Ready, ready, tooLong } from './wire.ts'

export interface ReaderOptions {
  files: Files
  /** The store, if no other thread can open it: questions then run in this thread, with a shorter time limit. */
  alone?: Database
  /** Called with the error of SQLite when the thread could not read a part of the store, before the answer is returned. */
  onDamage?: (found: string) => void
  /** See `Journal.settling`; answers wait for it. */
  settling?: () => Promise<void> | undefined
  /** Time limit of one question, in ms. */
  limitMs?: number
  /** Further time before the thread is terminated, in ms: it checks the clock itself, but not within one step of SQLite. */
  graceMs?: number
  /** Path of the thread's module. */
  thread?: string
  /** Time an idle thread is kept, in ms. */
  idleMs?: number
}

/** Time limit for the start of a thread, in ms. */
const startLimitMs = 30_000

/** Most threads that are terminated but have not exited, because SQLite is in the middle of a step. */
const maxEnding = 2

/** Time limit of a question that runs in this thread, in ms. */
const limitHereMs = 250

interface Job {
  question: Question
  resolve: (value: never) => void
  reject: (error: Error) => void
}

/**
 * Runs questions, the queries whose cost grows with the store, in a thread of their own, one at a time, so that other requests do not wait
 * for them. The thread is started when needed and terminated when idle or when a question exceeds its time limit. Callers take turns.
 */
export class Reader implements AsyncDisposable {
  readonly #options: Required<Omit<ReaderOptions, 'alone'>>
  readonly #context: QuestionContext | undefined
  #endsAt = Infinity
  readonly #queue = new FairQueue<Job>()
  readonly #ending = new Set<Promise<unknown>>()
  #thread: Worker | undefined
  #running: Job | undefined
  /** Functions to call before the next question, while the thread is idle. */
  #pauses: (() => void)[] = []
  #timer: NodeJS.Timeout | undefined
  #isClosed = false

  constructor({ alone, ...options }: ReaderOptions) {
    this.#context = alone && this.#makeContext(alone)
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
   * Runs a question of `questions.ts` for the caller `by`; the answer includes everything committed before the call. Throws `too_large`
   * when it takes too long, `rate_limited` when this caller has too many waiting, and what the question itself throws.
   */
  ask<Name extends QuestionName>(name: Name, argument: ArgumentOf<Name>, by: string): Promise<Awaited<AnswerTo<Name>>> {
    if (this.#isClosed) return Promise.reject(stopping())
    if (this.#context) return this.#answerHere(this.#context, name, argument)
    return new Promise((resolve, reject) => {
      const question = { name, argument, limitMs: this.#options.limitMs }
      if (!this.#queue.add(by, { question, resolve, reject })) reject(tooMany())
      else this.#next()
    })
  }

  /** Calls `work` once the thread is idle, before the next question, and returns its result. */
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

  /** Rejects what waits with `unavailable`, and returns once no thread has the files open. */
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

  #makeContext(db: Database): QuestionContext {
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

  async #answerHere<Name extends QuestionName>(
    context: QuestionContext,
    name: Name,
    argument: ArgumentOf<Name>,
  ): Promise<Awaited<AnswerTo<Name>>> {
    this.#endsAt = performance.now() + limitHereMs
    return questions[name](context, argument as never) as Awaited<AnswerTo<Name>>
  }

  #next(): void {
    if (this.#running) return
    // A terminated thread may still be reading.
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
      // SQLite's memory is outside of this heap.
      resourceLimits: { maxOldGenerationSizeMb: 128 },
    })
    thread.unref()
    thread.on('message', (answer: Answer | Ready) => {
      if (thread !== this.#thread) return
      if (answer !== ready) this.#answered(answer)
      else if (this.#running) this.#put(this.#running, thread)
    })
    thread.on('error', error => {
      if (thread === this.#thread) this.#crashed(error)
    })
    return thread
  }

  #answered(answer: Answer): void {
    const job = this.#running
    this.#running = undefined
    if (answer.damage !== undefined) this.#options.onDamage(answer.damage)
    if (!job) return
    const settling = this.#options.settling()
    if (!settling) this.#resolve(job, answer)
    else settling.then(() => this.#resolve(job, answer), job.reject)
    // Deferred: while answers arrive back to back, Node handles no other events.
    setImmediate(() => this.#next())
  }

  #resolve(job: Job, answer: Answer): void {
    if ('value' in answer) job.resolve(answer.value as never)
    else if ('refusal' in answer) job.reject(ClaudeNetError.fromBody(answer.refusal))
    else job.reject(Object.assign(new Error(answer.error.message), answer.error))
  }

  /** The thread crashed; the next question starts another. */
  #crashed(error: Error): void {
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

/** Returns the path of the thread's module: the bundle beside this one, or its source where the hub runs from source. */
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
