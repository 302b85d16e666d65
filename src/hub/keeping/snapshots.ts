import { createHash, timingSafeEqual } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { Position } from '../state/state.ts'
import { placeOfBackup } from './check-backup.ts'
import { backupsIn, newestOf } from './rotation.ts'

export interface SnapshotsOptions {
  /** Directory of this hub's backups. */
  dir: string
  /** Returns the position of its store. */
  position: () => Position
  /** Secret that hubs of this log show each other, stored in etcd. */
  secret: string
  /** Returns the offset of the log's oldest record; 0 if it has none. */
  first: () => Promise<number>
  /** Makes a backup if none is usable. */
  makeBackup: () => Promise<{ file: string }>
}

/** The backups of this hub, from which other hubs of the same log start: each is a checked copy of the store at some offset of the log. */
export class Snapshots {
  readonly #options: SnapshotsOptions
  /** The backup that was read last, and its offset. */
  #known: { file: string; offset: number } | undefined

  constructor(options: SnapshotsOptions) {
    this.#options = options
  }

  /** The offset of the newest backup of this history; 0 without one. */
  get offset(): number {
    const file = this.#newest()
    return file === undefined ? 0 : this.#offsetOf(file)
  }

  /**
   * Opens the newest backup that the log can continue, or a new one, and returns its size too. Throws `unauthorized` for a wrong secret.
   */
  async open(secret: string): Promise<{ handle: FileHandle; bytes: number }> {
    if (!isSame(secret, this.#options.secret)) {
      throw new ClaudeNetError(
        'unauthorized',
        'Snapshots are for the hubs of this history.',
        'They authenticate with the secret that is stored in etcd.',
      )
    }
    const first = await this.#options.first()
    const newest = this.#newest()
    const isGood = newest !== undefined && this.#offsetOf(newest) >= Math.max(first - 1, 1)
    const file = isGood ? newest : (await this.#options.makeBackup()).file
    const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW)
    return { handle, bytes: (await handle.stat()).size }
  }

  #newest(): string | undefined {
    const newest = newestOf(backupsIn(this.#options.dir), Date.now())
    return newest && join(this.#options.dir, newest.name)
  }

  /** Returns 0 for a backup of another history, or an unreadable one. */
  #offsetOf(file: string): number {
    if (this.#known?.file === file) return this.#known.offset
    let found = 0
    try {
      const { epoch, offset } = placeOfBackup(file)
      const now = this.#options.position()
      if (epoch === now.epoch && offset <= now.offset) found = offset
    } catch {
      // An unreadable backup does not count.
    }
    this.#known = { file, offset: found }
    return found
  }
}

function isSame(a: string, b: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(a), hash(b))
}
