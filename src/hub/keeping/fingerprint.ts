import { createHash } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { hubLocalTables, isHubLocal } from '../state/local/tables.ts'

/** A table, the columns that count, and an order that is the same wherever the same rows are. */
interface Table {
  name: string
  columns: string[]
  order: string[]
}

/** The tables and columns of one schema that belong to the history: what a later schema adds is not among them. */
export type Shape = Table[]

/** Left out besides what is each hub's own: join codes and what opens the console, which a restore makes void. */
const isLeftOut = (table: string) => hubLocalTables.has(table) || madeVoid.includes(table)

/** Tables that a restore empties: what is in them may have been used or ended since the backup. */
export const madeVoid: readonly string[] = ['invite', 'console_link', 'console_session']

/** The shape of an open database. */
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

/** SHA-256 in hex over all rows of a shape: two databases with the same history have the same, whatever their epoch. */
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
