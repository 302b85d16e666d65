import { existsSync, renameSync, rmSync } from 'node:fs'
import type { AuditLine } from '../../protocol/audit.ts'
import { inName } from '../state/store/backup-names.ts'
import { Database } from '../state/store/database.ts'
import { isDamage } from '../state/store/sqlite-errors.ts'
import { StoreLost } from '../state/store/store-files.ts'
import { FloodGate } from './flood-gate.ts'

/** Longest time a line waits to be written, in ms. */
const flushAfterMs = 500

/** Most lines of each class, successes and refusals: refused strangers cannot evict what the admin did. */
const maxLines = 100_000

/** Lines written between two prunings. */
const pruneEvery = 1000

/** Most lines that wait while the disk is full; further ones are only counted. */
const maxWaiting = 10_000

/** A line without its id, time and count. */
export type AuditNote = Pick<AuditLine, 'actor' | 'tokenId' | 'address' | 'action' | 'target' | 'detail' | 'result'>

type Waiting = AuditNote & { at: number; count: number }

const schema = /* sql */ `
create table if not exists audit (
  id       integer primary key autoincrement,
  at       integer not null,
  actor    text,
  token_id text,
  address  text,
  action   text    not null,
  target   text,
  detail   text,
  result   text    not null,
  count    integer not null
) strict;
create index if not exists audit_class on audit (result <> 'ok', id);
create index if not exists audit_actor on audit (actor, id);
create index if not exists audit_action on audit (action, id);
create index if not exists audit_target on audit (target, id);
create trigger if not exists audit_is_append_only before update on audit
begin
  select raise(abort, 'a line of the audit is never changed');
end;
`

export interface AuditOptions {
  /** Called when lines could not be written; they wait for the next attempt. */
  onError: (error: unknown) => void
  /** Called with the reason when the file was removed, replaced or damaged and a new one was begun. */
  onBegunAnew?: (error: unknown) => void
  /** Wall clock, ms since 1970. */
  now?: () => number
}

/**
 * The append-only record of who did what to whom, in a file of its own: lines are written in batches within half a second, separate from
 * the commits of messages. A kill loses at most that half second and leaves only whole lines.
 */
export class Audit implements Disposable {
  readonly #path: string
  #db: Database
  readonly #options: AuditOptions
  readonly #now: () => number
  readonly #gate = new FloodGate()
  #waiting: Waiting[] = []
  #sincePruned = pruneEvery
  #timer: NodeJS.Timeout | undefined
  #unwritten = 0
  #closed = false

  constructor(path: string, options: AuditOptions) {
    this.#options = options
    this.#now = options.now ?? Date.now
    this.#path = path
    this.#db = openOrBegin(path, options.onBegunAnew)
  }

  /** Number of refusals since the start that were counted but not written. */
  get unwritten(): number {
    return this.#unwritten
  }

  /** Queues `note` to be written. Of a flood of refusals the first are written, and one line with the number of the rest. */
  add(note: AuditNote): void {
    if (this.#closed) return
    const at = this.#now()
    const isRefusal = note.result !== 'ok'
    // Without an actor the token is only a claim, and a flood would claim another each time.
    const source = (note.actor === null ? note.address : note.tokenId) ?? ''
    const isLetIn = !isRefusal || this.#gate.enter(source, performance.now())
    if (isLetIn && this.#waiting.length < maxWaiting) this.#waiting.push({ ...note, at, count: 1 })
    else this.#unwritten++
    this.#timer ??= setTimeout(() => this.flush(), flushAfterMs).unref()
  }

  /** Writes the lines that wait. Those that the disk refuses are retried. */
  flush(): void {
    this.#lookAtFile()
    clearTimeout(this.#timer)
    this.#timer = undefined
    const skipped = this.#gate.takeSkipped(performance.now(), this.#closed)
    if (skipped > 0) this.#waiting.push({ ...flood, at: this.#now(), count: skipped })
    if (this.#waiting.length > 0) this.#write()
    const isPending = this.#waiting.length > 0 || this.#gate.hasSkipped
    if (isPending && !this.#closed) this.#timer = setTimeout(() => this.flush(), 5000).unref()
  }

  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.flush()
    clearTimeout(this.#timer)
    this.#db.close()
  }

  [Symbol.dispose](): void {
    this.close()
  }

  #write(): void {
    const lines = this.#waiting
    try {
      this.#db.transaction(() => {
        for (const line of lines) this.#insert(line)
        this.#sincePruned += lines.length
        if (this.#sincePruned >= pruneEvery) this.#prune()
      })
      this.#waiting = []
    } catch (error) {
      if (isDamage(error)) this.#tryToBeginAnew(error)
      else this.#options.onError(error)
    }
  }

  /** If another file has the audit's name now, switches to that file. */
  #lookAtFile(): void {
    try {
      this.#db.expectOwnFiles()
    } catch (error) {
      if (error instanceof StoreLost) this.#tryToBeginAnew(error)
    }
  }

  #tryToBeginAnew(error: unknown): void {
    try {
      this.#db = this.#beginAnew(error)
    } catch (failed) {
      this.#options.onError(failed)
    }
  }

  /**
   * Opens the file that has the audit's name now, or a new one. A file that was removed is put back from the open one; a replaced or
   * damaged file is kept beside it.
   */
  #beginAnew(error: unknown): Database {
    const before = this.#db
    if (error instanceof StoreLost) {
      const kept = `${this.#path}.before-${inName(Date.now())}`
      const isKept = unlessThrown(() => before.rescue(error, kept)) ?? false
      if (!isKept) rmSync(kept, { force: true })
      unlessThrown(() => before.close())
      if (isKept && !existsSync(this.#path)) renameSync(kept, this.#path)
    } else {
      unlessThrown(() => before.close())
      setAside(this.#path)
    }
    this.#options.onBegunAnew?.(error)
    return openOrBegin(this.#path)
  }

  #insert({ at, actor, tokenId, address, action, target, detail, result, count }: Waiting): void {
    this.#db.run(
      `insert into audit (at, actor, token_id, address, action, target, detail, result, count)
       values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
      ...[at, actor, tokenId, address, action, target, detail, result, count],
    )
  }

  #prune(): void {
    for (const isRefusal of [0, 1]) {
      this.#db.run(
        `delete from audit where (result <> 'ok') = ?1 and id <=
           (select id from audit where (result <> 'ok') = ?1 order by id desc limit 1 offset ?2)`,
        isRefusal,
        maxLines,
      )
    }
    this.#sincePruned = 0
  }
}

/** Opens the file at `path`. A damaged one is renamed, and a new one is begun. */
function openOrBegin(path: string, onBegunAnew?: (error: unknown) => void): Database {
  try {
    return open(path)
  } catch (error) {
    if (!isDamage(error)) throw error
    setAside(path)
    onBegunAnew?.(error)
    return open(path)
  }
}

function setAside(path: string): void {
  if (existsSync(path)) renameSync(path, `${path}.damaged-${inName(Date.now())}`)
  for (const suffix of ['-wal', '-shm']) rmSync(path + suffix, { force: true })
}

function open(path: string): Database {
  const db = new Database(path)
  try {
    db.execute(schema)
    return db
  } catch (error) {
    unlessThrown(() => db.close())
    throw error
  }
}

/** Returns the result of `work`, or undefined if it throws because its file is gone. */
function unlessThrown<T>(work: () => T): T | undefined {
  try {
    return work()
  } catch {
    return undefined
  }
}

/** Line for refusals that were not written one by one. */
const flood: AuditNote = {
  actor: null,
  tokenId: null,
  address: null,
  action: 'flood',
  target: null,
  detail: null,
  result: 'rate_limited',
}
