import { statSync } from 'node:fs'
import { basename } from 'node:path'

/** The files of an open store are no longer those at its path, or another program has written to them. */
export class StoreLost extends Error {
  override readonly name = 'StoreLost'
  /** `removed` and `replaced`: the open files are intact, but no longer have a name. `changed`: they cannot be trusted. */
  readonly how: 'removed' | 'replaced' | 'changed'
  /** Name of the file. */
  readonly file: string

  constructor(file: string, how: StoreLost['how']) {
    const what = { removed: 'was removed', replaced: 'was replaced', changed: 'was changed by another program' }[how]
    super(`${file} ${what} while the hub was running`)
    this.how = how
    this.file = file
  }
}

interface Seen {
  dev: bigint
  ino: bigint
  size: bigint
  mtimeNs: bigint
}

/**
 * The database, the write-ahead log and its index at a path, as their one writer left them. SQLite keeps its files open and does not check
 * their names again: after `rm hub.db` it keeps writing to files that vanish when the process ends.
 */
export class StoreFiles {
  readonly #paths: string[]
  #seen: (Seen | undefined)[] = []

  constructor(path: string) {
    this.#paths = [path, `${path}-wal`, `${path}-shm`]
  }

  /** Records the state of the files after the writer has written. */
  remember(): void {
    this.#seen = this.#paths.map(look)
  }

  /** Throws `StoreLost` when a file has changed since its writer last wrote to it. */
  expectUntouched(): void {
    this.#paths.forEach((path, index) => {
      // The index of the log is written through shared memory, by readers too.
      if (path.endsWith('-shm')) return
      const before = this.#seen[index]
      const now = expectSame(path, before)
      if (now && before && (now.size !== before.size || now.mtimeNs !== before.mtimeNs))
        throw new StoreLost(basename(path), 'changed')
    })
  }

  /** Throws `StoreLost` when a file that the writer has open is no longer the one at its path. The writer may have written since. */
  expectThere(): void {
    this.#paths.forEach((path, index) => {
      expectSame(path, this.#seen[index])
    })
  }

  /** Does the same, and records the state of the files. */
  acceptWritten(): void {
    this.#seen = this.#paths.map((path, index) => expectSame(path, this.#seen[index]))
  }
}

/** Returns the file at `path`. Throws `StoreLost` when it is not the one in `before`. */
function expectSame(path: string, before: Seen | undefined): Seen | undefined {
  const now = look(path)
  if (!before) return now
  if (!now) throw new StoreLost(basename(path), 'removed')
  if (now.dev !== before.dev || now.ino !== before.ino) throw new StoreLost(basename(path), 'replaced')
  return now
}

function look(path: string): Seen | undefined {
  return statSync(path, { bigint: true, throwIfNoEntry: false })
}
