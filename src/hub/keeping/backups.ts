import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, mkdirSync, openSync, renameSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { syncDirectory } from '../../disk/replace-file.ts'
import { BackupReport } from '../../protocol/backup.ts'
import { ErrorBody } from '../../protocol/error-body.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { BackupSettings } from '../config/backup.ts'
import type { Hub } from '../hub.ts'
import { backupName, removeUnfinished, unfinished } from '../state/store/backup-names.ts'
import { lowerPriority } from './lower-priority.ts'
import { backupsIn, newestOf, rotate } from './rotation.ts'
import type { Tails } from './tails.ts'

/** Least time between the start of a hub and a scheduled backup, and between a failure and the next attempt, in ms. */
const restMs = 60_000

/** Time that copying may take, in ms: the write-ahead log grows meanwhile. Checking the copy has no limit. */
const copyLimitMs = 600_000

/** Outcome of a backup. */
export type Made = { ms: number } & ({ report: BackupReport; error?: undefined } | { report?: undefined; error: Error })

export interface BackupsOptions {
  hub: Hub
  /** The database of `hub`. */
  source: string
  settings: BackupSettings
  /** Program whose `copy-store` command does the work in a process of its own. */
  program: string
  /** Writes the entries committed after each backup; see `Tails`. */
  tails?: Pick<Tails, 'begin' | 'adopt' | 'drop'>
  /** Called after each backup, also one that failed. */
  onMade: (made: Made) => void
  /** Called before `onMade` when a complete copy fails its checks: the store may be damaged. */
  onBadCopy?: () => void
}

/**
 * Backups of a running hub, on schedule and on request. The hub only holds its checkpoints while another process copies its files, then
 * reads and checks the whole copy; requests are served meanwhile.
 */
export class Backups implements AsyncDisposable {
  readonly #options: BackupsOptions
  readonly #closing = new AbortController()
  #timer: NodeJS.Timeout | undefined
  #underWay: Promise<BackupReport> | undefined

  constructor(options: BackupsOptions) {
    this.#options = options
    removeUnfinished(options.settings.dir)
    const { everyHours, dir } = options.settings
    if (everyHours === null) return
    const newest = newestOf(backupsIn(dir), Date.now())
    const age = newest ? Date.now() - newest.time : Infinity
    const everyMs = everyHours * 3_600_000
    // The date of a newest backup from the future is ignored: the clock was set back.
    this.#schedule(age < 0 ? everyMs : Math.max(everyMs - age, Math.min(restMs, everyMs)))
  }

  /** The newest backup: its time (ms since 1970) and bytes. */
  get newest(): { time: number; bytes: number } | undefined {
    const { dir } = this.#options.settings
    const newest = newestOf(backupsIn(dir), Date.now())
    return newest && { time: newest.time, bytes: statSync(join(dir, newest.name)).size }
  }

  /** Makes a backup, or waits for the one in progress. Throws when the copy could not be made or is not good. */
  make(): Promise<BackupReport> {
    this.#underWay ??= this.#make().finally(() => (this.#underWay = undefined))
    return this.#underWay
  }

  /** Aborts a backup in progress. */
  async close(): Promise<void> {
    clearTimeout(this.#timer)
    this.#closing.abort()
    await this.#underWay?.catch(() => {})
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #schedule(ms: number): void {
    this.#timer = setTimeout(async () => {
      const everyMs = this.#options.settings.everyHours! * 3_600_000
      const next = await this.make().then(
        () => everyMs,
        () => Math.min(restMs, everyMs),
      )
      if (!this.#closing.signal.aborted) this.#schedule(next)
    }, ms).unref()
  }

  async #make(): Promise<BackupReport> {
    const { onMade, settings, tails } = this.#options
    const startedAt = performance.now()
    const ms = () => performance.now() - startedAt
    try {
      const report = await this.#copyAndCheck()
      onMade({ ms: ms(), report })
      tails?.adopt(report)
      rotate(settings.dir, settings)
      return report
    } catch (error) {
      tails?.drop()
      // A hub that stops aborts its backup, which is no failure to report.
      if (this.#closing.signal.aborted) throw stopping()
      if (error instanceof ClaudeNetError && error.code === 'invalid') this.#options.onBadCopy?.()
      const shown = failed(error as Error)
      onMade({ ms: ms(), error: shown })
      throw shown
    }
  }

  async #copyAndCheck(): Promise<BackupReport> {
    const { hub, settings, tails } = this.#options
    this.#closing.signal.throwIfAborted()
    mkdirSync(settings.dir, { recursive: true, mode: 0o700 })
    const path = join(settings.dir, backupName(Date.now()))
    const part = path + unfinished
    try {
      const before = hub.state.position
      tails?.begin(path, before)
      const report = await this.#copy(part)
      if (report.epoch !== before.epoch || report.seq < before.seq) {
        throw new Error(`the copy ends at ${report.epoch}:${report.seq}, the hub was at ${before.epoch}:${before.seq}`)
      }
      renameSync(part, path)
      syncDirectory(settings.dir)
      return { ...report, file: path }
    } finally {
      removeUnfinished(settings.dir)
    }
  }

  async #copy(part: string): Promise<BackupReport> {
    const { hub, source, program } = this.#options
    // Created here, so that it is private from the start.
    closeSync(openSync(part, 'w', 0o600))
    const resume = await hub.reader.whileIdle(() => hub.state.db.holdCheckpoints())
    try {
      const child = spawn(process.execPath, [program, 'copy-store', source, part], {
        stdio: 'pipe',
        signal: this.#closing.signal,
        killSignal: 'SIGKILL',
      })
      const tooLate = setTimeout(() => child.kill('SIGKILL'), copyLimitMs)
      return await outcomeOf(child, () => {
        clearTimeout(tooLate)
        resume()
      }).finally(() => clearTimeout(tooLate))
    } finally {
      resume()
    }
  }
}

/** Returns the report of the copying process. It prints one line once the files are copied, then one with the report, or an error. */
async function outcomeOf(child: ChildProcess, onCopied: () => void): Promise<BackupReport> {
  const ended = once(child, 'close')
  lowerPriority(child)
  const lines: string[] = []
  createInterface(child.stdout!).on('line', line => {
    if (lines.push(line) === 1) onCopied()
  })
  let wrong = ''
  child.stderr!.setEncoding('utf8').on('data', text => (wrong += text))
  const [status, signal] = (await ended) as [number | null, string | null]
  const report = lines[1] === undefined ? undefined : BackupReport.safeParse(JSON.parse(lines[1]))
  if (status === 0 && report?.success) return report.data
  throw errorIn(wrong) ?? new Error(`the copying process ended with ${signal ?? status}: ${wrong.slice(0, 500)}`)
}

function errorIn(text: string): Error | undefined {
  try {
    return ClaudeNetError.fromBody(ErrorBody.parse(JSON.parse(text)))
  } catch {
    return undefined
  }
}

function failed(error: Error): ClaudeNetError {
  return new ClaudeNetError('internal', `The backup failed: ${error.message}`, 'Earlier backups are unchanged.')
}

function stopping(): ClaudeNetError {
  return new ClaudeNetError('unavailable', 'The backup was aborted: the hub is stopping.', 'Try again in a moment.')
}
