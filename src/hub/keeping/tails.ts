import { open, rename, rm, statfs } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { diskTrouble } from '../../disk/replace-file.ts'
import type { BackupReport } from '../../protocol/backup.ts'
import { version } from '../../protocol/version.ts'
import type { Hub } from '../hub.ts'
import { isPast } from '../state/local/epochs.ts'
import { tailName, unfinished } from '../state/store/backup-names.ts'
import { newestSchema } from '../state/store/migrate.ts'
import { makeDirectory, NoTail, openLastTail, type Place, removeOldTails } from './tail-files.ts'
import { type Committed, createTail, TailWriter } from './tail-writer.ts'

/** The store whose entries are written. */
export interface FollowedStore {
  hub: Hub
  /** Makes a backup, which includes the entries missing in the tail. */
  makeBackup: () => Promise<unknown>
}

export interface TailsOptions {
  /** `backup.logTo` and `backup.dir` of hub.json. */
  dir: string
  backupDir: string
  /** Maximum size of one tail, in bytes. */
  maxBytes: number
  /** Time that entries may wait to be written and synced together, in ms. */
  flushMs?: number
  /** Approximate number of bytes of entries that may wait in memory. */
  maxWaitingBytes?: number
  /** Shortest and longest wait between two attempts to start a new tail, in ms. */
  retryMs?: { first: number; longest: number }
  /** Called with the reason when entries are no longer written, and with undefined once they are again. */
  onTrouble: (trouble: Error | undefined) => void
}

/** Progress of the tails. */
export interface TailStatus {
  /** The last entry that is on the other disk; null before there is one. */
  seq: number | null
  /** Number of entries that are not there yet, and how long the oldest of them has waited, in ms. */
  behind: number
  behindMs: number
  /** The file, and its bytes. */
  file: string | null
  bytes: number
  /** Reason for which nothing is written, in words. */
  trouble: string | null
}

/** Free space required before a backup is made to start a new tail, in bytes. */
const leastRoom = 16 * 1024 * 1024

/** Time that the last entries may take to be written when the hub stops, in ms. */
const farewellMs = 2000

interface Tail {
  file: string
  writer: TailWriter
}

/**
 * Writes the entries committed since each backup to a tail on another disk. The tail of a backup is started when the backup is, and becomes
 * the current tail once the backup is verified; it ends when the next one becomes current, so that a backup with its tail reaches the next
 * backup without a gap. No response waits for it. When entries are missing in a tail (its disk failed, the process was killed), a new backup
 * is made.
 */
export class Tails implements AsyncDisposable {
  readonly #options: Required<TailsOptions>
  readonly #closing = new AbortController()
  #store: FollowedStore | undefined
  #current: Tail | undefined
  #next: Tail | undefined
  #finishing: Promise<unknown> = Promise.resolve()
  #beginning: Promise<void> | undefined
  #startSeq = 0
  #lastSeq = 0
  #syncedSeq: number | undefined
  /** Time since which an entry is in no tail, by `performance.now()`. */
  #missingSince: number | undefined
  #reported: string | undefined
  #isFullSoon = false

  constructor(options: TailsOptions) {
    this.#options = {
      flushMs: 250,
      maxWaitingBytes: 32 * 1024 * 1024,
      retryMs: { first: 10_000, longest: 600_000 },
      ...options,
    }
  }

  /** Queues committed entries; they are written later. */
  committed(batch: Committed): void {
    this.#lastSeq = batch.entries.at(-1)?.seq ?? this.#lastSeq
    if (!this.#current || this.#current.writer.failed) this.#missingSince ??= performance.now()
    this.#current?.writer.push(batch)
    this.#next?.writer.push(batch)
  }

  /** Continues the last tail if it ends where the store does; otherwise a backup is made. Call it before anything is committed. */
  follow(store: FollowedStore): void {
    this.#store = store
    const { seq } = store.hub.state.position
    this.#startSeq = seq
    this.#lastSeq = seq
    const { dir, backupDir } = this.#options
    const open = async () => {
      const found = await openLastTail(dir, backupDir, place => place.seq === seq && isPast(store.hub.state.db, place))
      tail.file = found.file
      return found
    }
    const tail: Tail = { file: '', writer: this.#writer(open, () => [tail.file]) }
    this.#current = tail
  }

  /** Starts the tail of a backup that begins now. */
  begin(backup: string, { epoch, seq }: Place): void {
    this.drop()
    const { dir } = this.#options
    const file = join(dir, tailName(basename(backup)) + unfinished)
    const open = async () => {
      await makeDirectory(dir)
      await rm(file, { force: true })
      return createTail(file, { tail: 1, epoch, seq, schema: newestSchema })
    }
    // It is renamed from `.part` while it is written.
    this.#next = { file, writer: this.#writer(open, () => [file, file.slice(0, -unfinished.length)]) }
  }

  /** Makes the tail of a good backup the current one. */
  adopt(report: BackupReport): void {
    const [before, next] = [this.#current, this.#next]
    if (!next) return
    this.#current = next
    this.#next = undefined
    this.#isFullSoon = false
    if (before && !before.writer.failed) {
      const { seq, schema, fingerprint, outcomes } = report
      before.writer.push({ matches: { seq, schema, version, fingerprint, outcomes } })
      before.writer.push({ end: this.#lastSeq })
    }
    this.#finishing = this.#finishing
      .then(() => this.#takePlace(next, before))
      .catch(error => next.writer.fail(error))
      .finally(() => this.#changed())
  }

  /** Discards the tail of a failed backup; the previous tail continues. */
  drop(): void {
    const dropped = this.#next
    this.#next = undefined
    if (dropped) void dropped.writer.close().then(() => rm(dropped.file, { force: true }).catch(() => {}))
  }

  status(): TailStatus {
    const { file = null, writer } = this.#current ?? {}
    const since = this.#missingSince ?? writer?.unsyncedSince
    return {
      seq: this.#syncedSeq ?? null,
      behind: this.#lastSeq - (this.#syncedSeq ?? this.#startSeq),
      behindMs: since === undefined ? 0 : Math.round(performance.now() - since),
      file: file || null,
      bytes: writer?.bytes ?? 0,
      trouble: this.#reported ?? null,
    }
  }

  /** Writes the remaining entries, for a limited time: a disk that hangs must not block the stop. */
  async close(): Promise<void> {
    this.#closing.abort()
    this.drop()
    const done = Promise.all([this.#finishing, this.#current?.writer.close()])
    await Promise.race([done, delay(farewellMs, undefined, { ref: false })])
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  #writer(open: () => ReturnType<typeof createTail>, names: () => string[]): TailWriter {
    const { flushMs, maxWaitingBytes, maxBytes } = this.#options
    return new TailWriter({ open, names, flushMs, maxWaitingBytes, maxBytes, onChange: () => this.#changed() })
  }

  /** Renames the new tail, ends the previous one, and removes those whose backups no longer exist. */
  async #takePlace(next: Tail, before: Tail | undefined): Promise<void> {
    await before?.writer.close()
    await next.writer.flush()
    if (next.writer.trouble) throw next.writer.trouble
    const file = next.file.slice(0, -unfinished.length)
    await rename(next.file, file)
    next.file = file
    const handle = await open(this.#options.dir, 'r')
    await handle.sync().finally(() => handle.close())
    const { dir, backupDir } = this.#options
    const isOurs = (place: Place) => isPast(this.#store!.hub.state.db, place)
    await removeOldTails(dir, backupDir, { except: this.#current?.file, isOurs })
  }

  #changed(): void {
    const writer = this.#current?.writer
    if (!writer || this.#closing.signal.aborted) return
    if (writer.syncedSeq >= 0 && !writer.failed) {
      this.#syncedSeq = writer.syncedSeq
      if (!writer.trouble) this.#missingSince = undefined
    }
    if (writer.failed && this.#lastSeq > (this.#syncedSeq ?? -1)) this.#missingSince ??= performance.now()
    this.#report(writer.trouble)
    const fillsUp = writer.bytes > this.#options.maxBytes / 2 && !this.#isFullSoon
    if (fillsUp) this.#isFullSoon = true
    if (writer.failed || fillsUp) this.#beginning ??= this.#startNewTail().finally(() => (this.#beginning = undefined))
  }

  #report(trouble: Error | undefined): void {
    // With no tail to continue, the backup being made is not reported as trouble.
    const reason = trouble instanceof NoTail && !trouble.cause ? undefined : trouble?.message
    if (reason === this.#reported) return
    this.#reported = reason
    this.#options.onTrouble(reason === undefined ? undefined : trouble)
  }

  /** Makes backups until one has a tail that is written. */
  async #startNewTail(): Promise<void> {
    const { retryMs } = this.#options
    const { signal } = this.#closing
    for (let ms = retryMs.first; !signal.aborted; ms = Math.min(ms * 2, retryMs.longest)) {
      try {
        await this.#expectDisk()
        await this.#store!.makeBackup()
        await this.#finishing
        if (!this.#current?.writer.failed) return
      } catch (error) {
        if (this.#current?.writer.failed !== false) this.#report(error as Error)
      }
      await delay(ms, undefined, { signal, ref: false }).catch(() => {})
    }
  }

  /**
   * Checks that a file can be created on the disk, and that there is room, before a backup is made for its tail's sake. Throws the reason
   * in words.
   */
  async #expectDisk(): Promise<void> {
    const { dir } = this.#options
    try {
      await makeDirectory(dir)
      const probe = join(dir, `probe${unfinished}`)
      await (await open(probe, 'w', 0o600)).close()
      await rm(probe)
    } catch (error) {
      throw new Error(diskTrouble(error as NodeJS.ErrnoException), { cause: error })
    }
    const { bavail, bsize } = await statfs(dir)
    if (bavail * bsize < leastRoom) throw new Error('the disk is full')
  }
}
