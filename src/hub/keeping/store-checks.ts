import { execFile } from 'node:child_process'
import { statSync } from 'node:fs'
import { resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type { Hub } from '../hub.ts'
import { lowerPriority } from './lower-priority.ts'

/** Time between two checks, in ms. */
const everyMs = 24 * 3_600_000

/** Wait before a failed check is retried, in ms. */
const retryMs = 60_000

/** Time that a check may take, in ms: the write-ahead log grows meanwhile. */
const limitMs = 600_000

/** Checks a database that is not written to, without its log. Returns `ok`, or SQLite's first finding. */
export function checkFile(path: string): string {
  const url = pathToFileURL(resolve(path))
  // Immutable: SQLite takes no lock and creates no file beside it.
  url.search = 'immutable=1'
  try {
    using db = new DatabaseSync(url, { readOnly: true })
    return (db.prepare('pragma quick_check(1)').get() as { quick_check: string }).quick_check
  } catch (error) {
    return (error as Error).message
  }
}

export interface StoreChecksOptions {
  hub: Hub
  /** The database of `hub`. */
  source: string
  /** Program whose `check-store` command does the work in a process of its own. */
  program: string
  /** Whether to check at once, because the store was not checked at the start. */
  atOnce: boolean
  /** Called when a check could not be made; it is retried. */
  onError: (error: unknown) => void
}

/**
 * Checks the whole store of a running hub once a day: another process reads the database while the hub holds its checkpoints. A damaged
 * store accepts no more writes.
 */
export class StoreChecks implements AsyncDisposable {
  readonly #options: StoreChecksOptions
  readonly #closing = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #underWay: Promise<void> = Promise.resolve()
  #isUnderWay = false

  constructor(options: StoreChecksOptions) {
    this.#options = options
    this.#schedule(options.atOnce ? 0 : everyMs)
  }

  /** Checks as soon as possible: something indicates that the store may be damaged. */
  checkSoon(): void {
    if (this.#closing.signal.aborted || this.#isUnderWay) return
    clearTimeout(this.#timer)
    this.#schedule(0)
  }

  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#closing.abort()
    await this.#underWay
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #schedule(ms: number): void {
    this.#timer = setTimeout(() => {
      this.#isUnderWay = true
      const next = (ms: number) => {
        this.#isUnderWay = false
        if (!this.#closing.signal.aborted) this.#schedule(ms)
      }
      this.#underWay = this.check().then(
        isDone => next(isDone ? everyMs : retryMs),
        error => {
          if (!this.#closing.signal.aborted) this.#options.onError(error)
          next(retryMs)
        },
      )
    }, ms).unref()
  }

  /** Checks now. Returns false if it could not, because the log could not be emptied into the database. */
  async check(): Promise<boolean> {
    const { hub, source, program } = this.#options
    const { signal } = this.#closing
    const resume = await hub.reader.whileIdle(() => hub.state.db.holdCheckpoints())
    try {
      if ((statSync(`${source}-wal`, { throwIfNoEntry: false })?.size ?? 0) > 0) return false
      const running = promisify(execFile)(process.execPath, [program, 'check-store', source], {
        signal,
        timeout: limitMs,
        killSignal: 'SIGKILL',
      })
      lowerPriority(running.child)
      const found = JSON.parse((await running).stdout) as string
      if (found !== 'ok') hub.foundDamage(found)
      return true
    } finally {
      resume()
    }
  }
}
