import { existsSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { newEpoch } from '../journal/epoch.ts'
import { madeVoid } from './fingerprint.ts'

/** State that a restore carries over from the store that it replaces. */
export interface Carried {
  /**
   * `replaced`: tokens as last in the replaced store; revoked ones stay revoked, bound ones bound. `backup`: all tokens valid at the backup
   * are valid again.
   */
  tokens: 'replaced' | 'backup'
  /** Members of the replaced store that the backup does not have. */
  gone: string[]
  /** Members deleted since the backup, which exist again, without a token. */
  back: string[]
}

/**
 * Prepares a restored store for use: gives it a new epoch, so cursors of the abandoned history start over; removes join codes, console
 * links and sessions, which may have been used or ended since; and takes the tokens of the store that it replaces, if that can be read and
 * is of the same hub.
 */
export function startNewHistory(path: string, replacedPath: string): Carried {
  const replaced = readReplaced(replacedPath)
  using db = new DatabaseSync(path)
  db.exec('pragma journal_mode = delete; pragma synchronous = full; begin immediate')
  db.prepare('update position set epoch = ?').run(newEpoch())
  if (rows(db, `select 1 from sqlite_schema where name = 'past_epoch'`).length > 0) db.exec('delete from past_epoch')
  // It no longer belongs to a log: this hub is standalone.
  if (hasTable(db, 'own_log')) db.exec('delete from own_log')
  for (const table of madeVoid) if (hasTable(db, table)) db.exec(`delete from ${table}`)
  const carried = replaced && carryOver(db, replaced)
  ownAllAdminTokens(db)
  db.exec('commit')
  return carried ?? { tokens: 'backup', gone: [], back: [] }
}

/** After a restore there is one data directory: it owns every valid admin token, and a new one in its file ends them. */
function ownAllAdminTokens(db: DatabaseSync): void {
  if (rows(db, `select 1 from sqlite_schema where name = 'own_admin_token'`).length === 0) return
  db.exec(`delete from own_admin_token; insert into own_admin_token (id) select id from token where role = 'admin'`)
}

type Row = Record<string, SQLInputValue>

interface Replaced {
  members: Row[]
  tokens: Row[]
  ended: Row[]
}

/** Returns members and tokens of the replaced store; undefined when there is none that can be read. */
function readReplaced(path: string): Replaced | undefined {
  if (!existsSync(path)) return undefined
  try {
    using db = new DatabaseSync(path)
    return {
      members: rows(db, 'select * from member where id > 0 order by name'),
      tokens: rows(db, 'select * from token order by id'),
      ended: hasTable(db, 'ended_token') ? rows(db, 'select * from ended_token order by id') : [],
    }
  } catch {
    // It may be damaged, which is what backups are for.
    return undefined
  }
}

function carryOver(db: DatabaseSync, replaced: Replaced): Carried | undefined {
  const restored = new Map(rows(db, 'select * from member').map(row => [row.id, row]))
  /** Returns the same member of the same hub; not another that got its number after an earlier restore. */
  const same = (row: Row) => {
    const here = restored.get(row.id!)
    return here?.created_at === row.created_at && here?.kind === row.kind ? here : undefined
  }
  const known = new Set(replaced.members.filter(same).map(({ id }) => id!))
  if (known.size === 0) return undefined
  const isKnown = ({ member }: Row) => member === null || known.has(member!)
  for (const { id } of rows(db, 'select * from token').filter(isKnown)) {
    db.prepare('delete from token where id = ?').run(id!)
  }
  insertAll(db, 'token', replaced.tokens.filter(isKnown))
  if (hasTable(db, 'ended_token')) {
    db.exec('delete from ended_token')
    insertAll(db, 'ended_token', replaced.ended.filter(isKnown))
    const bind = db.prepare('update member set bound_to = ? where id = ?')
    for (const { id, bound_to } of replaced.members.filter(same)) if (bound_to !== undefined) bind.run(bound_to, id!)
  }
  const live = replaced.members.filter(({ deleted_at }) => !deleted_at)
  const deleted = replaced.members.filter(({ deleted_at }) => deleted_at)
  return {
    tokens: 'replaced',
    gone: live.filter(row => !same(row)).map(({ name }) => String(name)),
    back: deleted.flatMap(row => {
      const here = same(row)
      return here && !here.deleted_at ? [String(here.name)] : []
    }),
  }
}

/** Inserts rows of another store; columns that this one does not have are dropped. */
function insertAll(db: DatabaseSync, table: string, all: Row[]): void {
  const columns = rows(db, `select name from pragma_table_info('${table}')`).map(({ name }) => String(name))
  const insert = db.prepare(
    `insert into ${table} (${columns.join(', ')}) values (${columns.map(() => '?').join(', ')})`,
  )
  for (const row of all) insert.run(...columns.map(column => row[column] ?? null))
}

function hasTable(db: DatabaseSync, name: string): boolean {
  return rows(db, `select 1 from sqlite_schema where type = 'table' and name = '${name}'`).length > 0
}

function rows(db: DatabaseSync, sql: string): Row[] {
  return db.prepare(sql).all() as Row[]
}
