import type { Database } from '../store/database.ts'

/** The log that a store belongs to. */
export interface OwnLog {
  /** Name of the log in etcd. */
  name: string
  /** Name of this hub in the log; null until it has started once. */
  hub: string | null
  /** Offset at which the log begins with this store; null when it was not made from this store. */
  begunAt: number | null
}

/** Returns undefined for the store of a standalone hub. */
export function ownLog(db: Database): OwnLog | undefined {
  return db.get<{ name: string; hub: string | null; begunAt: number | null }>(
    'select name, hub, begun_at as begunAt from own_log',
  )
}

/** Saves the log of this store. To be called inside a transaction. */
export function saveOwnLog(db: Database, { name, hub, begunAt }: OwnLog): void {
  db.run('insert or replace into own_log (only_row, name, hub, begun_at) values (1, ?, ?, ?)', name, hub, begunAt)
}

/** Removes the store from its log. On disk when it returns; throws on a storage error. */
export function leaveLog(db: Database): void {
  db.transaction(() => db.run('delete from own_log'))
}
