import { mkdirSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { onTestFinished } from 'vitest'
import type { BackupSettings } from '../../src/hub/config/backup.ts'
import { databaseFile, type Hub } from '../../src/hub/hub.ts'
import { Backups } from '../../src/hub/keeping/backups.ts'
import { fingerprintOf, shapeOf } from '../../src/hub/keeping/fingerprint.ts'
import { Tails, type TailsOptions } from '../../src/hub/keeping/tails.ts'
import { openHub } from '../../src/hub/open-hub.ts'
import type { Command, ResultOf } from '../../src/hub/state/commands.ts'
import type { BackupReport } from '../../src/protocol/backup.ts'
import { ensureStore } from './empty-store.ts'
import { program } from './program.ts'
import { tempDir } from './temp.ts'
import { until } from './until.ts'

/** A hub in this process with clocks set by the test, whose backups have tails. Closed with the test. */
export class FollowedHub {
  /** Both clocks, in ms: the wall clock is `offset` ahead. */
  now = Date.parse('2026-01-01T00:00:00.000Z')
  offset = 0
  /** Called for a command that threw. */
  onBug: (error: unknown) => void = error => {
    throw error
  }
  /** Called after each commit, when it is durable. */
  onCommit: () => void = () => {}
  hub!: Hub
  backups!: Backups
  tails!: Tails
  readonly made: BackupReport[] = []
  readonly troubles: (string | undefined)[] = []
  readonly #dir = tempDir('followed')
  readonly #options: Partial<TailsOptions>
  readonly #backup: Partial<BackupSettings>

  constructor(options: Partial<TailsOptions> = {}, backup: Partial<BackupSettings> = {}) {
    this.#options = options
    this.#backup = backup
    this.start()
    onTestFinished(() => this.close())
  }

  get dataDir(): string {
    return join(this.#dir, 'data')
  }

  get store(): string {
    return join(this.dataDir, databaseFile)
  }

  get logTo(): string {
    return this.#options.dir ?? join(this.#dir, 'tails')
  }

  get tailFiles(): string[] {
    return readdirSync(this.logTo).filter(name => name.endsWith('.log'))
  }

  start(): void {
    const backupDir = join(this.#dir, 'backups')
    this.tails = new Tails({
      dir: this.logTo,
      backupDir,
      maxBytes: 2 ** 30,
      flushMs: 5,
      retryMs: { first: 20, longest: 100 },
      ...this.#options,
      onTrouble: trouble => this.troubles.push(trouble?.message),
    })
    const dataDir = this.#made(this.dataDir)
    ensureStore(this.store)
    this.hub = openHub({
      dataDir,
      now: () => this.now + this.offset,
      monotonic: () => this.now,
      onBug: (_, error) => this.onBug(error),
      onStorageError: error => {
        throw error
      },
      onCommit: commit => {
        this.tails.committed({ ...commit, epoch: this.hub.state.position.epoch })
        this.onCommit()
      },
    })
    this.tails.follow({ hub: this.hub, makeBackup: () => this.backups.make() })
    this.backups = new Backups({
      hub: this.hub,
      source: this.store,
      settings: {
        everyHours: null,
        keepNewest: 24,
        keepDays: 7,
        keepGiB: null,
        dir: backupDir,
        logGiB: 1,
        ...this.#backup,
      },
      program,
      tails: this.tails,
      onMade: ({ report }) => {
        if (report) this.made.push(report)
      },
    })
  }

  async close(): Promise<void> {
    await this.backups.close()
    await this.hub.close()
    await this.tails.close()
  }

  async restart(): Promise<void> {
    await this.close()
    this.start()
  }

  do<C extends Command>(command: C): Promise<ResultOf<C>> {
    return this.hub.submit(command)
  }

  /** Returns the content of the live store. */
  fingerprint(): string {
    using db = new DatabaseSync(this.store, { readOnly: true })
    return fingerprintOf(db, shapeOf(db))
  }

  /** Resolves once every entry is in the tail of a backup. */
  async followed(): Promise<void> {
    await until(
      'the tail is up to date',
      () => {
        const { behind, file, trouble } = this.tails.status()
        return behind === 0 && trouble === null && file !== null && !file.endsWith('.part')
      },
      90_000,
    )
  }

  #made(dir: string): string {
    mkdirSync(dir, { recursive: true, mode: 0o700 })
    return dir
  }
}
