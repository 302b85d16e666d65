import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Commit } from '../../src/hub/journal/journal.ts'
import type { Log } from '../../src/hub/journal/log.ts'
import { LogJournal } from '../../src/hub/journal/log-journal.ts'
import { SteadyClock } from '../../src/hub/journal/steady-clock.ts'
import { State } from '../../src/hub/state/state.ts'
import type { OpenJournal } from '../suites/journal-suite.ts'
import { ensureStore } from './empty-store.ts'
import { MemoryLog } from './memory-log.ts'
import { tempDir } from './temp.ts'

/** A log shared by hubs, in memory or in etcd. */
export interface SharedLog {
  connect(): Log | Promise<Log>
  /** Returns a copy of the current log, which diverges from then on: the log after a crash. */
  fork(): this | Promise<this>
}

/** Its timeouts in ms, and the name of its hub. */
export interface OpenLogOptions {
  /** Clocks in ms: the wall clock, and a monotonic one. */
  now?: () => number
  monotonic?: () => number
  patienceMs?: number
  hub?: string
}

/** A journal over a log, in memory unless another is given, with a real SQLite file for its state. */
export class OpenLogJournal<L extends SharedLog = MemoryLog> implements OpenJournal {
  journal!: LogJournal
  state!: State
  log: L
  readonly commits: Commit[] = []
  readonly errors: { error: unknown; fatal: boolean }[] = []
  readonly #dir = tempDir('log-journal')
  #generation = 0

  readonly #patienceMs: number
  readonly #hub: string | undefined

  readonly #clocks: Required<Pick<OpenLogOptions, 'now' | 'monotonic'>>

  private constructor(
    log: L,
    { patienceMs = 300, hub, now = Date.now, monotonic = () => performance.now() }: OpenLogOptions = {},
  ) {
    this.log = log
    this.#clocks = { now, monotonic }
    this.#patienceMs = patienceMs
    this.#hub = hub
  }

  /** Opens a journal over `log`, with an empty store. */
  static async open(): Promise<OpenLogJournal>
  static async open<L extends SharedLog>(log: L, options?: OpenLogOptions): Promise<OpenLogJournal<L>>
  static async open(log: SharedLog = new MemoryLog(), options?: OpenLogOptions): Promise<OpenLogJournal<SharedLog>> {
    const opened = new OpenLogJournal(log, options)
    onTestFinished(() => opened.close())
    await opened.open()
    return opened
  }

  get file(): string {
    return join(this.#dir, `hub-${this.#generation}.db`)
  }

  async reopen(): Promise<void> {
    await this.close()
    await this.open()
  }

  /** Simulates a crash: continues on copies of the log and of the store's files. */
  async crash(): Promise<void> {
    const { journal, state } = this
    const left = this.file
    this.log = await this.log.fork()
    this.#generation++
    for (const suffix of ['', '-wal']) {
      if (existsSync(left + suffix)) copyFileSync(left + suffix, this.file + suffix)
    }
    await this.open()
    await journal.close()
    state.close()
  }

  async close(): Promise<void> {
    await this.journal?.close()
    this.state.close()
  }

  async open(): Promise<void> {
    ensureStore(this.file)
    this.state = new State(this.file)
    const clock = new SteadyClock({ last: this.state.position, ...this.#clocks })
    this.journal = await LogJournal.open(this.state, await this.log.connect(), {
      clock,
      patienceMs: this.#patienceMs,
      hub: this.#hub,
    })
    this.journal.start({
      onCommit: commit => this.commits.push(commit),
      onEffects: () => {},
      onBug: (_, error) => {
        throw error
      },
      onStorageError: (error, fatal) => this.errors.push({ error, fatal }),
    })
  }
}
