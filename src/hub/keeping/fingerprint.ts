import { createHash } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { hubLocalTables, isHubLocal } from '../state/local/tables.ts'

/** A table, its compared columns, and an order that is the same for the same rows. */
interface Table {
  name: string
  columns: string[]
  order: string[]
}

/** The tables and columns of one schema that belong to the history; those that a later schema adds are not among them. */
export type Shape = Table[]

/** Excluded beside each hub's own tables: join codes and console links and sessions, which a restore voids. */
const isLeftOut = (table: string) => hubLocalTables.has(table) || madeVoid.includes(table)

/** Tables that a restore empties: their rows may have been used or ended since the backup. */
export const madeVoid: readonly string[] = ['invite', 'console_link', 'console_session']

/** Returns the shape of an open database. */
export function shapeOf(db: DatabaseSync): Shape {
  const names = rows<{ name: string }>(
    db,
    `select name from sqlite_schema where type = 'table' and name not like 'sqlite\\_%' escape '\\'
     and name not like 'message\\_words%' escape '\\' order by name`,
  ).map(({ name }) => name)
  return names
    .filter(name => !isLeftOut(name))
    .map(name => {
      const columns = rows<{ name: string; pk: number }>(db, `select name, pk from pragma_table_info('${name}')`)
      const key = columns.filter(({ pk }) => pk > 0).sort((a, b) => a.pk - b.pk)
      return {
        name,
        columns: columns.map(column => column.name).filter(column => !isHubLocal(name, column)),
        order: key.map(column => column.name),
      }
    })
}

/** Returns the SHA-256, in hex, of all rows of a shape: the same for databases with the same history, whatever their epoch. */
export function fingerprintOf(db: DatabaseSync, shape: Shape): string {
  const hash = createHash('sha256')
  for (const { name, columns, order } of shape) {
    const list = columns.map(column => `"${column}"`).join(', ')
    hash.update(`${name} (${list})\n`)
    const by = order.map(column => `"${column}"`).join(', ')
    for (const row of db.prepare(`select ${list} from "${name}" order by ${by}`).iterate()) {
      hash.update(`${JSON.stringify(columns.map(column => plain(row[column])))}\n`)
    }
  }
  return hash.digest('hex')
}

function rows<Row>(db: DatabaseSync, sql: string): Row[] {
  return db.prepare(sql).all() as Row[]
}

function plain(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
}
