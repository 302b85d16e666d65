import { execFile } from 'node:child_process'
import { statSync } from 'node:fs'
import { constants, setPriority } from 'node:os'
import { resolve } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { pathToFileURL } from 'node:url'
import { promisify } from 'node:util'
import type { Hub } from '../hub.ts'

/** Time between two checks, in ms. */
const everyMs = 24 * 3_600_000

/** Time until the next try where a check could not be made, in ms. */
const retryMs = 60_000

/** How long a check may take, in ms: so long the write-ahead log grows. */
const limitMs = 600_000

/** What SQLite finds wrong in a database that nobody writes to, without its log: `ok`, or the first thing in words. */
export function checkFile(path: string): string {
  const url = pathToFileURL(resolve(path))
  // Immutable: nothing is locked, and no file is made beside it.
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
  /** The program whose `check-store` does the work, in a process of its own. */
  program: string
  /** Whether the first check begins at once, because the store was not checked at the start. */
  atOnce: boolean
  /** Called when a check could not be made; it is tried again. */
  onError: (error: unknown) => void
}

/**
 * Checks all of a running hub's store once a day, beside it: another process reads the database while the hub holds its checkpoints. A
 * store that is found damaged takes no more from then on.
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

  /** Checks as soon as it can be done, and not only when a day has passed: something has shown that the store may be damaged. */
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

  /** Checks now. Answers whether that could be done: not while the log could not be emptied into the database. */
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
      if (running.child.pid !== undefined) setPriority(running.child.pid, constants.priority.PRIORITY_BELOW_NORMAL)
      const found = JSON.parse((await running).stdout) as string
      if (found !== 'ok') hub.foundDamage(found)
      return true
    } finally {
      resume()
    }
  }
}
