import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Entry, Outcome } from '../../src/hub/state/commands.ts'
import { hubLocalTables, isHubLocal } from '../../src/hub/state/local/tables.ts'
import type { State } from '../../src/hub/state/state.ts'
import type { Database } from '../../src/hub/state/store/database.ts'

/** One line of a golden journal: an entry, and its outcome when it was recorded. */
export interface GoldenEntry extends Entry {
  /** `ok`, or the code of the refusal, without its sentence, which may be improved. */
  outcome: string
}

export function goldenFile(name: string): string {
  return join(import.meta.dirname, '../golden', name)
}

export function readGoldenJournal(name: string): GoldenEntry[] {
  const lines = readFileSync(goldenFile(name), 'utf8').trimEnd().split('\n')
  return lines.map(line => JSON.parse(line) as GoldenEntry)
}

/** Applies every entry, each as a batch of its own. Returns the outcome of each. */
export function replay(state: State, entries: readonly Entry[]): string[] {
  return entries.map(({ seq, time, command }) => {
    const [outcome] = state.applyBatch([{ seq, time, command }], (_, error) => {
      throw error
    })
    return outcomeCode(outcome!)
  })
}

export function outcomeCode(outcome: Outcome): string {
  return outcome.ok ? 'ok' : outcome.refusal.code
}

/**
 * Returns the SHA-256 over every row of every table, in hex: states with the same history have the same fingerprint. Tables that are local
 * to one hub are left out: see `state/local/tables.ts`.
 */
export function fingerprint(db: Database): string {
  const hash = createHash('sha256')
  const tables = db
    .all<{ name: string }>(
      `select name from sqlite_schema where type = 'table' and name not like 'sqlite_%'
       and name not like 'message_words%' order by name`,
    )
    .filter(({ name }) => !hubLocalTables.has(name))
  for (const { name } of tables) {
    const columns = db
      .all<{ name: string }>(`select name from pragma_table_info('${name}') order by name`)
      .map(column => column.name)
      .filter(column => !isHubLocal(name, column))
    const list = columns.map(column => `"${column}"`).join(', ')
    hash.update(`${name} (${list})\n`)
    for (const row of db.all<Record<string, unknown>>(`select ${list} from "${name}" order by ${list}`)) {
      hash.update(
        `${JSON.stringify(columns.map(column => plain(column === 'outcome' ? codes(row[column]) : row[column])))}\n`,
      )
    }
  }
  return hash.digest('hex')
}

/** Removes the reason of a refusal: a code with its numbers since schema 14, a sentence before. */
function codes(outcome: unknown): string {
  const recipients = JSON.parse(outcome as string) as { reason?: unknown }[]
  return JSON.stringify(recipients.map(({ reason: _, ...rest }) => rest))
}

function plain(value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
}
