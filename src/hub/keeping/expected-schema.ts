import { DatabaseSync } from 'node:sqlite'
import { schemaSteps } from '../state/store/migrate.ts'

interface Part {
  type: string
  name: string
  tbl_name: string
  sql: string | null
}

/** Tables that SQLite itself adds to a schema; neither required nor forbidden. */
const ownTables = ['sqlite_sequence', 'sqlite_stat1', 'sqlite_stat4']

/**
 * Returns, in words, the first difference between the schema of a store and that of the migration steps up to `schema`. A foreign trigger
 * or view would run with every later commit, and an index or a default value may call functions.
 */
export function foreignPart(db: DatabaseSync, schema: number): string | undefined {
  const expected = new Map(partsAfter(schema).map(part => [keyOf(part), plain(part.sql)]))
  for (const part of partsOf(db)) {
    const key = keyOf(part)
    const sql = expected.get(key)
    expected.delete(key)
    if (part.type === 'table' && ownTables.includes(part.name)) continue
    if (sql === undefined) return `it has the ${part.type} ${part.name}, which no version of this program creates`
    if (sql !== plain(part.sql)) return `its ${part.type} ${part.name} is not as this program creates it`
  }
  for (const key of expected.keys()) {
    if (!ownTables.some(name => key.startsWith(`table ${name} `))) return `its ${key.split(' on ')[0]} is missing`
  }
  return undefined
}

/** Schemas by version: making one takes 40 ms, and a restore compares several stores. */
const made = new Map<number, readonly Part[]>()

/** Returns the schema of a new store of that version. */
function partsAfter(schema: number): readonly Part[] {
  let parts = made.get(schema)
  if (!parts) {
    using db = new DatabaseSync(':memory:')
    for (const step of schemaSteps.slice(0, schema)) db.exec(step)
    parts = partsOf(db)
    made.set(schema, parts)
  }
  return parts
}

function partsOf(db: DatabaseSync): Part[] {
  return db.prepare('select type, name, tbl_name, sql from sqlite_schema').all() as unknown as Part[]
}

function keyOf({ type, name, tbl_name: table }: Part): string {
  return `${type} ${name} on ${table}`
}

/** Removes whitespace and quotes, which versions of SQLite write differently after `alter table`. */
function plain(sql: string | null): string {
  return (sql ?? '').replace(/[\s"]+/g, '')
}
