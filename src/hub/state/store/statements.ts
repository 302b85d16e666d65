import type { DatabaseSync, SQLInputValue, StatementSync } from 'node:sqlite'

type Value = string | number | bigint | Uint8Array | null

interface Prepared {
  statement: StatementSync
  /** Names of its columns, in order. */
  names: string[]
}

/**
 * SQLite plans by the value of a parameter that is the whole LIMIT, and prepares the statement again whenever one is bound, which takes
 * longer than to run most statements. It does neither for an expression.
 */
const limitParameter = /\blimit \?\d*/g

/**
 * The statements of one connection, each prepared once per text. SQLite returns rows as arrays, which are made objects here: V8 has no
 * stable shape for the objects that `node:sqlite` makes, which take a third longer to make and to read.
 */
export class Statements {
  readonly #sqlite: DatabaseSync
  readonly #prepared = new Map<string, Prepared>()

  constructor(sqlite: DatabaseSync) {
    this.#sqlite = sqlite
  }

  /** Returns the first row, or undefined. */
  get<Row>(sql: string, ...params: SQLInputValue[]): Row | undefined {
    const { statement, names } = this.#prepare(sql)
    const values = statement.get(...params) as unknown as Value[] | undefined
    return values && (toRow(names, values) as Row)
  }

  all<Row>(sql: string, ...params: SQLInputValue[]): Row[] {
    const { statement, names } = this.#prepare(sql)
    return (statement.all(...params) as unknown as Value[][]).map(values => toRow(names, values) as Row)
  }

  /** Runs one statement and returns how many rows it changed. */
  run(sql: string, ...params: SQLInputValue[]): number {
    return Number(this.#prepare(sql).statement.run(...params).changes)
  }

  clear(): void {
    this.#prepared.clear()
  }

  #prepare(sql: string): Prepared {
    let prepared = this.#prepared.get(sql)
    if (!prepared) {
      const statement = this.#sqlite.prepare(sql.replace(limitParameter, '$& + 0'))
      statement.setReturnArrays(true)
      prepared = { statement, names: statement.columns().map(({ name }) => name) }
      this.#prepared.set(sql, prepared)
    }
    return prepared
  }
}

function toRow(names: readonly string[], values: readonly Value[]): Record<string, Value> {
  const row: Record<string, Value> = {}
  for (let index = 0; index < names.length; index++) row[names[index]!] = values[index]!
  return row
}
