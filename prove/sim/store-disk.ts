import {
  closeSync,
  copyFileSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { endianness } from 'node:os'
import { join } from 'node:path'
import type { Random } from './random.ts'

/** Unit that a disk writes completely or not at all, in bytes. */
const sector = 512

/** Size of the write-ahead log's header, in bytes. It identifies the log, and SQLite syncs it when it begins a new one. */
const headerBytes = 32

/** Size of a page in the write-ahead log with its header, in bytes. */
const frameBytes = 4096 + 24

/** Offset of the number of pages in the index of the write-ahead log: `mxFrame` (sqlite.org/walformat.html#the_wal_index_header). */
const pagesAt = 16

const [store, log, index] = ['hub.db', 'hub.db-wal', 'hub.db-shm']

/** Extent of the write-ahead log: the header that identifies it, and its length. */
interface Extent {
  header: Buffer
  bytes: number
}

const nothing: Extent = { header: Buffer.alloc(0), bytes: 0 }

/**
 * The disk of one hub: a directory in memory with the files of its store, and a record of the synced part of the write-ahead log. The hub
 * syncs only that log; the database is written by SQLite's checkpoints, which sync it themselves.
 */
export class StoreDisk {
  readonly #root: string
  #generation = 0
  #synced = nothing
  /** Parts that a failed sync lost, each in the log with that header. */
  #holes: (Extent & { from: number })[] = []

  /** Creates the disk in `root`, with a copy of the store `template`. */
  constructor(root: string, template: string) {
    this.#root = root
    mkdirSync(this.dir, { recursive: true })
    copyFileSync(template, join(this.dir, store))
  }

  /** Directory of the files until the next crash. */
  get dir(): string {
    return join(this.#root, String(this.#generation))
  }

  /** Returns the current extent of the write-ahead log, for `settle`. */
  written(): Extent {
    const pages = this.#read(index, pagesAt, 4)
    if (pages.length < 4) return nothing
    const count = endianness() === 'LE' ? pages.readUInt32LE() : pages.readUInt32BE()
    return count === 0 ? nothing : { header: this.#read(log, 0, headerBytes), bytes: headerBytes + count * frameBytes }
  }

  /** Records a sync: everything up to `written` is on disk. */
  settle(written: Extent): void {
    this.#synced = written
  }

  /**
   * Records a failed sync: data that is not durable yet never becomes durable, and the next sync does not report it, as on a real system.
   */
  lose(): void {
    const { header, bytes } = this.written()
    const from = header.equals(this.#synced.header) ? this.#synced.bytes : headerBytes
    if (bytes > from) this.#holes.push({ header, from, bytes })
  }

  /**
   * Moves the files to another directory, in the state after a crash; the old ones may still be open. A kill preserves everything that was
   * written. A loss of power preserves everything that was synced, and of the rest any sectors, others being garbage.
   */
  crash(kind: 'kill' | 'power', random: Random): void {
    const before = this.dir
    const content = existsSync(join(before, log)) ? readFileSync(join(before, log)) : Buffer.alloc(0)
    this.#generation++
    mkdirSync(this.dir)
    copyFileSync(join(before, store), join(this.dir, store))
    const left = kind === 'kill' ? content : torn(this.#synced, content, random)
    if (kind === 'power')
      for (const { header, from, bytes } of this.#holes)
        if (header.equals(left.subarray(0, headerBytes)) && from < left.length)
          left.fill(0, from, Math.min(bytes, left.length))
    this.#holes = []
    if (left.length > 0) writeFileSync(join(this.dir, log), left)
    this.#synced = { header: left.subarray(0, headerBytes), bytes: left.length }
  }

  #read(name: string, at: number, bytes: number): Buffer {
    const path = join(this.dir, name)
    if (!existsSync(path)) return Buffer.alloc(0)
    const file = openSync(path, 'r')
    const into = Buffer.alloc(bytes)
    const found = readSync(file, into, 0, bytes, at)
    closeSync(file)
    return into.subarray(0, found)
  }

  /** Deletes the files of an earlier directory. */
  forget(dir: string): void {
    rmSync(dir, { recursive: true, force: true })
  }
}

/** Returns the content of a log after a loss of power: everything that was `synced`, then any sectors of what was `written`, and garbage. */
function torn(synced: Extent, written: Buffer, random: Random): Buffer {
  if (written.length === 0) return written
  const isSameLog = synced.header.equals(written.subarray(0, headerBytes))
  const certain = Math.min(isSameLog ? synced.bytes : headerBytes, written.length)
  const left = Buffer.from(written.subarray(0, certain + Math.floor(random() * (written.length - certain + 1))))
  const [isTorn, hasGarbage] = [random() < 0.5, random() < 0.3]
  for (let at = Math.ceil(certain / sector) * sector; at < left.length; at += sector) {
    const end = Math.min(at + sector, left.length)
    if (isTorn && random() < 0.5) left.fill(0, at, end)
    else if (hasGarbage && random() < 0.2) for (let byte = at; byte < end; byte++) left[byte] = random() * 256
  }
  return left
}
