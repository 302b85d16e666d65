import type { Database } from '../store/database.ts'

/** The log that a store belongs to. */
export interface OwnLog {
  /** What the log is called in etcd. */
  name: string
  /** What this hub is called among those that share it; null until it has started once. */
  hub: string | null
  /** The offset at which the log begins with this store; null where it began otherwise. */
  begunAt: number | null
}

/** Undefined for the store of a hub that stands alone. */
export function ownLog(db: Database): OwnLog | undefined {
  return db.get<{ name: string; hub: string | null; begunAt: number | null }>(
    'select name, hub, begun_at as begunAt from own_log',
  )
}

/** Inside a transaction. */
export function saveOwnLog(db: Database, { name, hub, begunAt }: OwnLog): void {
  db.run('insert or replace into own_log (only_row, name, hub, begun_at) values (1, ?, ?, ?)', name, hub, begunAt)
}

/** From now on the store stands alone. On disk when it returns; throws on a storage error. */
export function leaveLog(db: Database): void {
  db.transaction(() => db.run('delete from own_log'))
}
