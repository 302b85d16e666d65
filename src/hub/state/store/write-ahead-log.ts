import { closeSync, fdatasync, fdatasyncSync, openSync, readSync } from 'node:fs'
import { endianness } from 'node:os'

/** Where the index of the log says how many pages the log holds: `mxFrame` (sqlite.org/walformat.html#the_wal_index_header). */
const pagesAt = 16

/**
 * The disk failed while what was committed was on its way there: what of it is there is not known, and a next sync would not tell. Only
 * what a new start reads is certain.
 */
export class NotSynced extends Error {
  override name = 'NotSynced'
  /** The system's. */
  readonly code: string | undefined

  constructor(cause: NodeJS.ErrnoException) {
    super(cause.message, { cause })
    this.code = cause.code
  }
}

/**
 * The write-ahead log of an open store. SQLite writes it and leaves syncing it to us, so that it need not be done by the thread that
 * answers requests.
 */
export class WriteAheadLog {
  readonly #path: string
  readonly #field = Buffer.alloc(4)
  #log: number | undefined
  #index: number | undefined

  /** Of the database at `path`. */
  constructor(path: string) {
    this.#path = path
  }

  /** All that was committed before is on disk when this returns. Throws `NotSynced`. */
  syncNow(): void {
    try {
      fdatasyncSync(this.#open())
    } catch (error) {
      throw new NotSynced(error as NodeJS.ErrnoException)
    }
  }

  /** All that was committed before the call is on disk when this resolves. Rejects with `NotSynced`. */
  sync(): Promise<void> {
    return new Promise((resolve, reject) => {
      fdatasync(this.#open(), error => (error ? reject(new NotSynced(error)) : resolve()))
    })
  }

  /** How many pages were written to it since it was last copied into the database and begun anew. */
  get pages(): number {
    this.#index ??= openSync(`${this.#path}-shm`, 'r')
    readSync(this.#index, this.#field, 0, 4, pagesAt)
    // In the byte order of the machine.
    return endianness() === 'LE' ? this.#field.readUInt32LE() : this.#field.readUInt32BE()
  }

  close(): void {
    for (const file of [this.#log, this.#index]) if (file !== undefined) closeSync(file)
    this.#log = undefined
    this.#index = undefined
  }

  /** Nothing is written through it: for a sync it does. */
  #open(): number {
    this.#log ??= openSync(`${this.#path}-wal`, 'r')
    return this.#log
  }
}
