import { mkdir, open, readdir, rename, rm, stat, statfs } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { diskTrouble } from '../../disk/replace-file.ts'
import type { BackupReport } from '../../protocol/backup.ts'
import { version } from '../../protocol/version.ts'
import type { Hub } from '../hub.ts'
import { isPast } from '../state/local/epochs.ts'
import { backupOfTail, tailName, unfinished } from '../state/store/backup-names.ts'
import { newestSchema } from '../state/store/migrate.ts'
import { startOfTail } from './check-tail.ts'
import { readTail, type TailRecord } from './tail-format.ts'
import { type Committed, createTail, type TailPlace, TailWriter } from './tail-writer.ts'

/** A place in the history of a store. */
export interface Place {
  epoch: string
  seq: number
}

/** The store whose entries are written. */
export interface FollowedStore {
  hub: Hub
  /** Makes a backup: what is missing in the tail is in it. */
  makeBackup: () => Promise<unknown>
}

export interface TailsOptions {
  /** `backup.logTo` and `backup.dir` of hub.json. */
  dir: string
  backupDir: string
  /** How large one tail may get. */
  maxBytes: number
  /** How long entries may wait to be written and synced together, in ms. */
  flushMs?: number
  /** About how many bytes of entries may wait in memory. */
  maxWaitingBytes?: number
  /** The shortest and longest time between two tries to begin anew, in ms. */
  retryMs?: { first: number; longest: number }
  /** Called when entries are no longer written, with the reason, and with undefined once they are again. */
  onTrouble: (trouble: Error | undefined) => void
}

/** How far the entries beside the backups are. */
export interface TailStatus {
  /** The last entry that is on the other disk; null before there is one. */
  seq: number | null
  /** How many entries are not there yet, and since when the oldest of them waits, in ms. */
  behind: number
  behindMs: number
  /** The file, and its bytes. */
  file: string | null
  bytes: number
  /** Why nothing is written, in words. */
  trouble: string | null
}

/** Tails of another history whose backups are not here stay so long, in ms: a store that was lost may want them. */
const strangeLifeMs = 30 * 24 * 3600 * 1000

/** Room that must be there before a backup is made to begin anew, in bytes. */
const leastRoom = 16 * 1024 * 1024

/** How long the last entries may take to be written when the hub stops, in ms. */
const farewellMs = 2000

interface Tail {
  file: string
  writer: TailWriter
}

/**
 * Keeps what was committed since each backup beside it, on another disk. A tail begins when its backup does, and is the current one
 * from the moment at which that is good until the next one is; so a backup with its tail reaches to the next backup without a gap. No
 * answer waits for it. Where entries are missing in a tail (its disk failed, the process was killed), a new backup is made.
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
  /** Since when an entry is in no tail, by `performance.now()`. */
  #missingSince: number | undefined
  #told: string | undefined
  #isFullSoon = false

  constructor(options: TailsOptions) {
    this.#options = {
      flushMs: 250,
      maxWaitingBytes: 32 * 1024 * 1024,
      retryMs: { first: 10_000, longest: 600_000 },
      ...options,
    }
  }

  /** Takes entries that were committed. Costs next to nothing; what it takes is written later. */
  committed(batch: Committed): void {
    this.#lastSeq = batch.entries.at(-1)?.seq ?? this.#lastSeq
    if (!this.#current || this.#current.writer.failed) this.#missingSince ??= performance.now()
    this.#current?.writer.push(batch)
    this.#next?.writer.push(batch)
  }

  /** Goes on with the tail of before, where that ends as the store does; else a backup is made. To be called before anything is committed. */
  follow(store: FollowedStore): void {
    this.#store = store
    const { seq } = store.hub.state.position
    this.#startSeq = seq
    this.#lastSeq = seq
    const open = async () => {
      const found = await this.#findTail(seq)
      tail.file = found.file
      return found
    }
    const tail: Tail = { file: '', writer: this.#writer(open, () => [tail.file]) }
    this.#current = tail
  }

  /** A backup begins: what is committed from now on is in its tail. */
  begin(backup: string, { epoch, seq }: Place): void {
    this.drop()
    const { dir } = this.#options
    const file = join(dir, tailName(basename(backup)) + unfinished)
    const open = async () => {
      await makeDirectory(dir)
      await rm(file, { force: true })
      return createTail(file, { tail: 1, epoch, seq, schema: newestSchema })
    }
    // It gets its name without `.part` while it is written.
    this.#next = { file, writer: this.#writer(open, () => [file, file.slice(0, -unfinished.length)]) }
  }

  /** The backup is good: its tail is the current one. */
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

  /** The backup failed: the tail of the one before goes on. */
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
      trouble: this.#told ?? null,
    }
  }

  /** Writes what is left, for a bounded time: a disk that hangs holds up no end. */
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

  /** Gives the new tail its name, ends the one before, and removes those whose backups are gone. */
  async #takePlace(next: Tail, before: Tail | undefined): Promise<void> {
    await before?.writer.close()
    await next.writer.flush()
    if (next.writer.trouble) throw next.writer.trouble
    const file = next.file.slice(0, -unfinished.length)
    await rename(next.file, file)
    next.file = file
    const handle = await open(this.#options.dir, 'r')
    await handle.sync().finally(() => handle.close())
    await this.#rotate()
  }

  #changed(): void {
    const writer = this.#current?.writer
    if (!writer || this.#closing.signal.aborted) return
    if (writer.syncedSeq >= 0 && !writer.failed) {
      this.#syncedSeq = writer.syncedSeq
      if (!writer.trouble) this.#missingSince = undefined
    }
    if (writer.failed && this.#lastSeq > (this.#syncedSeq ?? -1)) this.#missingSince ??= performance.now()
    this.#tell(writer.trouble)
    const fillsUp = writer.bytes > this.#options.maxBytes / 2 && !this.#isFullSoon
    if (fillsUp) this.#isFullSoon = true
    if (writer.failed || fillsUp) this.#beginning ??= this.#beginAnew().finally(() => (this.#beginning = undefined))
  }

  #tell(trouble: Error | undefined): void {
    // Where there was no tail that goes on, the backup that is made now is no trouble.
    const told = trouble instanceof NoTail && !trouble.cause ? undefined : trouble?.message
    if (told === this.#told) return
    this.#told = told
    this.#options.onTrouble(told === undefined ? undefined : trouble)
  }

  /** Has backups made until one has a tail that is written. */
  async #beginAnew(): Promise<void> {
    const { retryMs } = this.#options
    const { signal } = this.#closing
    for (let ms = retryMs.first; !signal.aborted; ms = Math.min(ms * 2, retryMs.longest)) {
      try {
        await this.#expectDisk()
        await this.#store!.makeBackup()
        await this.#finishing
        if (!this.#current?.writer.failed) return
      } catch (error) {
        if (this.#current?.writer.failed !== false) this.#tell(error as Error)
      }
      await delay(ms, undefined, { signal, ref: false }).catch(() => {})
    }
  }

  /** Before a backup is made for the sake of its tail: a file can be made there, and there is room. Throws why not, in words. */
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

  /** The tail that was written last, open behind its good lines, when the store's history goes on from there. Throws `NoTail`. */
  async #findTail(endSeq: number) {
    const { dir, backupDir } = this.#options
    const backups = new Set(await namesIn(backupDir))
    const names = await namesIn(dir)
    for (const name of names.filter(name => name.endsWith(`.log${unfinished}`))) await rm(join(dir, name))
    const tails = names.filter(name => backups.has(backupOfTail(name) ?? ''))
    const ages = await Promise.all(tails.map(async name => ({ name, at: (await stat(join(dir, name))).mtimeMs })))
    const newest = ages.sort((a, b) => b.at - a.at)[0]
    if (!newest) throw new NoTail()
    const file = join(dir, newest.name)
    const handle = await open(file, 'r+')
    try {
      const place = await placeOf(handle.fd)
      if (!place || place.seq !== endSeq || !this.#knows(place)) throw new NoTail()
      await handle.truncate(place.bytes)
      return { handle, place, file }
    } catch (error) {
      await handle.close()
      throw error instanceof NoTail ? error : new NoTail(error as Error)
    }
  }

  /** Whether the store's history has come by this place. */
  #knows(place: Place): boolean {
    return isPast(this.#store!.hub.state.db, place)
  }

  /** Removes tails whose backups are gone; those of another history a month after they were written. */
  async #rotate(): Promise<void> {
    const { dir, backupDir } = this.#options
    const backups = new Set(await namesIn(backupDir))
    for (const name of await namesIn(dir)) {
      const backup = backupOfTail(name)
      const file = join(dir, name)
      if (backup === undefined || backups.has(backup) || file === this.#current?.file) continue
      const start = startOfTail(file)
      const isOurs = start !== undefined && this.#knows(start)
      if (isOurs || Date.now() - (await stat(file)).mtimeMs > strangeLifeMs) await rm(file, { force: true })
    }
  }
}

/** There is no tail that could go on. */
class NoTail extends Error {
  override name = 'NoTail'
  constructor(cause?: Error) {
    super(cause ? `the tail of before cannot go on: ${cause.message}` : 'no tail ends where the store does', { cause })
  }
}

/** Where a tail of this schema goes on; undefined when it was ended, or begins otherwise. Gives way to others while it reads. */
async function placeOf(handle: number): Promise<TailPlace | undefined> {
  const records = readTail(handle)
  let [epoch, seq] = ['', 0]
  let isFirst = true
  for (let n = 0; ; n++) {
    const { value, done } = records.next()
    if (done) return isFirst ? undefined : { ...value, epoch, seq }
    if (isFirst !== 'tail' in value || 'end' in value) return undefined
    if ('tail' in value && value.schema !== newestSchema) return undefined
    isFirst = false
    ;({ epoch = epoch, seq = seq } = placeIn(value))
    if (n % 500 === 499) await new Promise(resolve => setImmediate(resolve))
  }
}

function placeIn(record: TailRecord): Partial<Place> {
  if ('entry' in record) return { seq: record.entry.seq }
  if ('tail' in record) return { epoch: record.epoch, seq: record.seq }
  return 'epoch' in record ? { epoch: record.epoch } : {}
}

/** Makes `dir` for its owner alone, unless it is there. The directory above it is somebody else's to make. */
async function makeDirectory(dir: string): Promise<void> {
  await mkdir(dir, { mode: 0o700 }).catch(error => {
    if (error.code !== 'EEXIST') throw error
  })
}

/** What is in a directory; nothing where there is none. Throws when it cannot be read. */
async function namesIn(dir: string): Promise<string[]> {
  return readdir(dir).catch(error => {
    if (error.code === 'ENOENT') return []
    throw error
  })
}
