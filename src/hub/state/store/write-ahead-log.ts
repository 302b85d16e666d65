import { closeSync, fdatasync, fdatasyncSync, openSync, readSync } from 'node:fs'
import { endianness } from 'node:os'

/** Offset of `mxFrame`, the number of pages in the log, in the log's index (sqlite.org/walformat.html#the_wal_index_header). */
const pagesAt = 16

/** A sync failed: it is unknown which of the last commits are on disk, and another sync would not show it. Only a restart can find out. */
export class NotSynced extends Error {
  override name = 'NotSynced'
  /** Error code of the system. */
  readonly code: string | undefined

  constructor(cause: NodeJS.ErrnoException) {
    super(cause.message, { cause })
    this.code = cause.code
  }
}

/**
 * The write-ahead log of an open store. SQLite writes it, and this class syncs it, so that the thread that handles requests need not wait.
 */
export class WriteAheadLog {
  readonly #path: string
  readonly #field = Buffer.alloc(4)
  #log: number | undefined
  #index: number | undefined

  /** `path` is that of the database. */
  constructor(path: string) {
    this.#path = path
  }

  /** Syncs all commits before the call. Throws `NotSynced`. */
  syncNow(): void {
    try {
      fdatasyncSync(this.#open())
    } catch (error) {
      throw new NotSynced(error as NodeJS.ErrnoException)
    }
  }

  /** Resolves once all commits before the call are synced. Rejects with `NotSynced`. */
  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.#open(), error => (error ? reject(new NotSynced(error)) : resolve()))
    })
  }

  /** Number of pages written to it since it was last copied into the database and restarted. */
  get pages(): number {
    this.#index ??= openSync(`${this.#path}-shm`, 'r')
    readSync(this.#index, this.#field, 0, 4, pagesAt)
    // The field is in the machine's byte order.
    return endianness() === 'LE' ? this.#field.readUInt32LE() : this.#field.readUInt32BE()
  }

  close(): void {
    for (const file of [this.#log, this.#index]) if (file !== undefined) closeSync(file)
    this.#log = undefined
    this.#index = undefined
  }

  /** Opens the log for reading, which suffices for a sync. */
  #open(): number {
    this.#log ??= openSync(`${this.#path}-wal`, 'r')
    return this.#log
  }
}
