import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import type { Commit, Journal } from '../../src/hub/journal/journal.ts'
import { LocalJournal } from '../../src/hub/journal/local.ts'
import { SteadyClock } from '../../src/hub/journal/steady-clock.ts'
import type { Effects, Entry } from '../../src/hub/state/commands.ts'
import { State } from '../../src/hub/state/state.ts'
import type { OpenJournal } from '../suites/journal-suite.ts'
import { ensureStore } from './empty-store.ts'
import { tempDir } from './temp.ts'

/** The local journal over a real SQLite file, with everything that it announced. */
export class OpenLocalJournal implements OpenJournal {
  /** The wall clock that the journal reads, in ms since 1970. */
  now = Date.now
  /** The monotonic clock, in ms. */
  monotonic = () => performance.now()
  journal!: Journal
  state!: State
  /** All commits, except those that a journal makes after its crash. */
  readonly commits: Commit[] = []
  readonly effects: Effects[] = []
  readonly bugs: { entry: Entry; error: unknown }[] = []
  readonly storageErrors: { error: unknown; fatal: boolean }[] = []
  readonly #dir: string
  #generation = 0

  /** Starts with an empty store in `dir`. */
  constructor(dir: string, clocks: Partial<Pick<OpenLocalJournal, 'now' | 'monotonic'>> = {}) {
    this.#dir = dir
    Object.assign(this, clocks)
    this.#open()
  }

  /** The database file in use. Its write-ahead log is beside it, `-wal` appended. */
  get file(): string {
    return join(this.#dir, `hub-${this.#generation}.db`)
  }

  async reopen(): Promise<void> {
    await this.close()
    this.#open()
  }

  /** Reopens the store as a kill would leave it: a copy of its two files is opened, and the original is abandoned. */
  async crash(): Promise<void> {
    const left = this.file
    const { journal, state } = this
    this.#generation++
    for (const suffix of ['', '-wal']) {
      if (existsSync(left + suffix)) copyFileSync(left + suffix, this.file + suffix)
    }
    this.#open()
    await journal.close()
    state.close()
  }

  async close(): Promise<void> {
    await this.journal.close()
    this.state.close()
  }

  #open(): void {
    const generation = this.#generation
    ensureStore(this.file)
    this.state = new State(this.file)
    const clock = new SteadyClock({
      last: this.state.position,
      now: () => this.now(),
      monotonic: () => this.monotonic(),
    })
    this.journal = new LocalJournal(this.state, clock)
    this.journal.start({
      onCommit: commit => {
        if (this.#generation === generation) this.commits.push(commit)
      },
      onEffects: effects => this.effects.push(effects),
      onBug: (entry, error) => this.bugs.push({ entry, error }),
      onStorageError: (error, fatal) => this.storageErrors.push({ error, fatal }),
    })
  }
}

/** A local journal for the running test. */
export async function openLocalJournal(): Promise<OpenLocalJournal> {
  const opened = new OpenLocalJournal(tempDir('journal'))
  onTestFinished(() => opened.close())
  return opened
}
