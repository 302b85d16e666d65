import { createHash, timingSafeEqual } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import { join } from 'node:path'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { Position } from '../state/state.ts'
import { placeOfBackup } from './check-backup.ts'
import { backupsIn, newestOf } from './rotation.ts'

export interface SnapshotsOptions {
  /** Where this hub's backups are. */
  dir: string
  /** Where its store is. */
  position: () => Position
  /** What hubs of this log show each other: whoever reads etcd knows it. */
  secret: string
  /** The offset of the oldest record of the log; 0 where it has none. */
  first: () => Promise<number>
  /** Makes a backup, where none is good. */
  makeBackup: () => Promise<{ file: string }>
}

/** The backups of this hub, for hubs of the same log that begin with one: each is a checked copy of the store at some place of the log. */
export class Snapshots {
  readonly #options: SnapshotsOptions
  /** The backup that was looked at last, and the offset at which it stands. */
  #known: { file: string; offset: number } | undefined

  constructor(options: SnapshotsOptions) {
    this.#options = options
  }

  /** The offset at which the newest backup of this history stands; 0 where there is none. */
  get offset(): number {
    const file = this.#newest()
    return file === undefined ? 0 : this.#offsetOf(file)
  }

  /** The newest backup that the log can continue, open, with its bytes; a new one where there is none. Throws `unauthorized` for a wrong secret. */
  async open(secret: string): Promise<{ handle: FileHandle; bytes: number }> {
    if (!isSame(secret, this.#options.secret)) {
      throw new ClaudeNetError(
        'unauthorized',
        'Snapshots are for the hubs of this history.',
        'They show the secret that etcd has for them.',
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

  /** 0 for a backup of another history, or one that cannot be read. */
  #offsetOf(file: string): number {
    if (this.#known?.file === file) return this.#known.offset
    let found = 0
    try {
      const { epoch, offset } = placeOfBackup(file)
      const now = this.#options.position()
      if (epoch === now.epoch && offset <= now.offset) found = offset
    } catch {
      // It counts as none.
    }
    this.#known = { file, offset: found }
    return found
  }
}

function isSame(a: string, b: string): boolean {
  const hash = (text: string) => createHash('sha256').update(text).digest()
  return timingSafeEqual(hash(a), hash(b))
}
