import { DatabaseSync } from 'node:sqlite'
import { schemaSteps } from '../state/store/migrate.ts'

interface Part {
  type: string
  name: string
  tbl_name: string
  sql: string | null
}

/** What SQLite itself keeps in a schema, and we neither make nor miss. */
const ownTables = ['sqlite_sequence', 'sqlite_stat1', 'sqlite_stat4']

/**
 * What in the schema of a store is not as the steps up to `schema` make it, in words; undefined when all is. A trigger or a view that
 * somebody has added would act with every later commit, and an index or a default value may call functions.
 */
export function foreignPart(db: DatabaseSync, schema: number): string | undefined {
  const expected = new Map(partsAfter(schema).map(part => [keyOf(part), plain(part.sql)]))
  for (const part of partsOf(db)) {
    const key = keyOf(part)
    const sql = expected.get(key)
    expected.delete(key)
    if (part.type === 'table' && ownTables.includes(part.name)) continue
    if (sql === undefined) return `it has the ${part.type} ${part.name}, which no version of this program makes`
    if (sql !== plain(part.sql)) return `its ${part.type} ${part.name} is not as this program makes it`
  }
  for (const key of expected.keys()) {
    if (!ownTables.some(name => key.startsWith(`table ${name} `))) return `its ${key.split(' on ')[0]} is missing`
  }
  return undefined
}

/** The schema of a new store of that version. */
function partsAfter(schema: number): Part[] {
  using db = new DatabaseSync(':memory:')
  for (const step of schemaSteps.slice(0, schema)) db.exec(step)
  return partsOf(db)
}

function partsOf(db: DatabaseSync): Part[] {
  return db.prepare('select type, name, tbl_name, sql from sqlite_schema').all() as unknown as Part[]
}

function keyOf({ type, name, tbl_name: table }: Part): string {
  return `${type} ${name} on ${table}`
}

/** Without what versions of SQLite write differently after `alter table`: space and quotes. */
function plain(sql: string | null): string {
  return (sql ?? '').replace(/[\s"]+/g, '')
}
