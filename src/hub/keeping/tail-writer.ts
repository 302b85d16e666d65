import { type FileHandle, open, rm, stat } from 'node:fs/promises'
import { diskTrouble } from '../../disk/replace-file.ts'
import type { Entry, Outcome } from '../state/commands.ts'
import { encodeRecord, type TailEnd, type TailRecord } from './tail-format.ts'

/** Entries on the store's disk, with the epoch in which they were committed. */
export interface Committed {
  epoch: string
  entries: readonly Entry[]
  outcomes: readonly Outcome[]
}

/** Place at which a file is continued: after its good lines, at this place of the history. */
export type TailPlace = Pick<TailEnd, 'bytes' | 'crc'> & { epoch: string; seq: number }

export interface TailWriterOptions {
  /** Opens the file and finds where to continue it. Entries pushed meanwhile wait. */
  open: () => Promise<{ handle: FileHandle; place: TailPlace }>
  /** Returns the possible names of the file. If it has none of them, it was removed, or its disk was detached. */
  names: () => string[]
  /** Time that entries may wait for others before they are written and synced, in ms. */
  flushMs: number
  /** Bytes of entries that may wait in memory, approximately. */
  maxWaitingBytes: number
  /** Maximum size of the file, in bytes. */
  maxBytes: number
  /** Called when something was synced, or could not be written. */
  onChange: () => void
}

/** Approximate number of bytes encoded and written at a time: some ms of the main thread. */
const chunkBytes = 256 * 1024

/** Approximate size of an entry without a text, in bytes. */
const entryBytes = 400

/**
 * Appends entries to one file after they were committed: `push` only queues them, a timer writes and syncs them off the main thread. On a
 * full disk retries at the same place of the file; after any other error, or when too much waits, the file accepts nothing more and has a
 * gap.
 */
export class TailWriter {
  readonly #options: TailWriterOptions
  #handle: FileHandle | undefined
  #place: TailPlace | undefined
  #queue: { item: Committed | TailRecord; at: number; bytes: number }[] = []
  #waitingBytes = 0
  /** Encoded, and not yet known to be in the file. */
  #chunk: { bytes: Buffer; crc: number; epoch: string; seq: number } | undefined
  #timer: NodeJS.Timeout | undefined
  #flushing: Promise<void> = Promise.resolve()
  #isClosed = false
  /** Reason for which the file accepts nothing more. */
  #failure: Error | undefined
  /** Error of the last attempt, which is retried. */
  #obstacle: Error | undefined
  #syncedSeq = -1
  #unsyncedSince: number | undefined

  constructor(options: TailWriterOptions) {
    this.#options = options
    this.#schedule(0)
  }

  /** The last entry that is synced here; -1 before the file is open. */
  get syncedSeq(): number {
    return this.#syncedSeq
  }

  /** Time since which an entry waits to be synced here, by `performance.now()`; undefined when none does. */
  get unsyncedSince(): number | undefined {
    return this.#unsyncedSince
  }

  get bytes(): number {
    return this.#place?.bytes ?? 0
  }

  /** Reason for which nothing is written: permanent if `failed`, otherwise until an attempt succeeds. */
  get trouble(): Error | undefined {
    return this.#failure ?? this.#obstacle
  }

  get failed(): boolean {
    return this.#failure !== undefined
  }

  /** Queues entries, or a record of another kind, to be written soon. */
  push(item: Committed | TailRecord): void {
    if (this.#failure || this.#isClosed) return
    const at = performance.now()
    this.#unsyncedSince ??= at
    const bytes = sizeOf(item)
    this.#queue.push({ item, at, bytes })
    this.#waitingBytes += bytes
    if (this.#waitingBytes > this.#options.maxWaitingBytes) {
      this.fail(new Error(`too much waits to be written: ${this.#obstacle?.message ?? 'the disk is too slow'}`))
    } else this.#schedule(this.#options.flushMs)
  }

  /** Writes and syncs what was pushed. Resolves after the attempt; see `trouble`. */
  async flush(): Promise<void> {
    clearTimeout(this.#timer)
    this.#timer = undefined
    // One at a time: two would write to the same place.
    this.#flushing = this.#flushing.then(() => this.#write())
    await this.#flushing
  }

  /** Writes what was pushed, and accepts nothing more. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.flush()
    await this.#handle?.close().catch(() => {})
    this.#handle = undefined
  }

  #schedule(ms: number): void {
    if (this.#timer || this.#isClosed || this.#failure) return
    this.#timer = setTimeout(() => void this.flush(), ms).unref()
  }

  async #write(): Promise<void> {
    if (this.#failure) return
    try {
      if (!this.#handle) await this.#open()
      const handle = this.#handle!
      let oldest = this.#queue[0]?.at
      while (this.#takeChunk()) {
        await this.#writeChunk(handle)
        oldest = this.#queue[0]?.at
      }
      try {
        await handle.datasync()
      } catch (error) {
        // Earlier writes may be lost, and the next sync would not report it.
        throw new NotSynced(error as Error)
      }
      await this.#expectNamed(handle)
      this.#obstacle = undefined
      this.#unsyncedSince = oldest
      this.#syncedSeq = this.#place!.seq
      if (this.#place!.bytes > this.#options.maxBytes) throw new Error('the tail has reached its maximum size')
    } catch (error) {
      this.#caught(error as NodeJS.ErrnoException)
    }
    this.#options.onChange()
    if (this.#queue.length > 0 || this.#chunk) this.#schedule(this.#options.flushMs)
  }

  async #expectNamed(handle: FileHandle): Promise<void> {
    const { ino, dev } = await handle.stat()
    for (const name of this.#options.names()) {
      const there = await stat(name).catch(() => undefined)
      if (there?.ino === ino && there.dev === dev) return
    }
    throw new Error('the file is no longer in its directory: it was removed, or its disk was taken away')
  }

  async #open(): Promise<void> {
    const { handle, place } = await this.#options.open()
    this.#handle = handle
    this.#place = place
  }

  /** Encodes the next chunk; returns whether there is one. */
  #takeChunk(): boolean {
    if (this.#chunk) return true
    if (this.#queue.length === 0 || this.#failure) return false
    let { crc, epoch, seq } = this.#place!
    const lines: Buffer[] = []
    const add = (record: TailRecord) => {
      const encoded = encodeRecord(record, crc)
      crc = encoded.crc
      lines.push(encoded.line)
    }
    let [taken, total] = [0, 0]
    while (taken < this.#queue.length && total < chunkBytes) {
      const { item, bytes } = this.#queue[taken++]!
      total += bytes
      if (!('entries' in item)) {
        add(item)
        continue
      }
      if (item.epoch !== epoch) add({ epoch: item.epoch })
      epoch = item.epoch
      item.entries.forEach((entry, index) => {
        // Entries pushed while the file was read may be in it already.
        if (entry.seq <= seq) return
        const outcome = item.outcomes[index]!
        add(outcome.ok ? { entry } : { entry, refused: outcome.refusal.code })
        seq = entry.seq
      })
    }
    this.#queue.splice(0, taken)
    this.#waitingBytes -= total
    this.#chunk = { bytes: Buffer.concat(lines), crc, epoch, seq }
    return true
  }

  async #writeChunk(handle: FileHandle): Promise<void> {
    const { bytes, crc, epoch, seq } = this.#chunk!
    const start = this.#place!.bytes
    for (let done = 0; done < bytes.length; ) {
      const { bytesWritten } = await handle.write(bytes, done, bytes.length - done, start + done)
      done += bytesWritten
    }
    this.#place = { bytes: start + bytes.length, crc, epoch, seq }
    this.#chunk = undefined
  }

  #caught(error: NodeJS.ErrnoException): void {
    const shown = error.code === undefined ? error : new Error(diskTrouble(error), { cause: error })
    if (!(error instanceof NotSynced) && ['ENOSPC', 'EDQUOT'].includes(error.code ?? '')) this.#obstacle = shown
    else this.fail(shown)
  }

  /** Accepts nothing more: later entries are in no file. */
  fail(error: Error): void {
    if (this.#failure) return
    this.#failure = error
    this.#queue = []
    this.#waitingBytes = 0
    this.#chunk = undefined
    this.#options.onChange()
  }
}

class NotSynced extends Error {
  override name = 'NotSynced'
  constructor(cause: NodeJS.ErrnoException) {
    super(`it could not be synced: ${diskTrouble(cause)}`, { cause })
  }
}

/** Creates a file at `path`, private to its owner, whose first line is `start`. Throws if it exists. */
export async function createTail(path: string, start: TailRecord & { epoch: string; seq: number }) {
  const handle = await open(path, 'wx', 0o600)
  try {
    const { line, crc } = encodeRecord(start, 0)
    await handle.write(line, 0, line.length, 0)
    return { handle, place: { bytes: line.length, crc, epoch: start.epoch, seq: start.seq } }
  } catch (error) {
    await handle.close()
    await rm(path, { force: true })
    throw error
  }
}

function sizeOf(item: Committed | TailRecord): number {
  if (!('entries' in item)) return entryBytes
  return item.entries.reduce((sum, { command }) => sum + entryBytes + ('body' in command ? command.body.length : 0), 0)
}
