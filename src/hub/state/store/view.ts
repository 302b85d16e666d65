import type { DatabaseSync } from 'node:sqlite'
import { Statements } from './statements.ts'

/** A second connection to a store, which reads the snapshot at which it was pinned. */
export class View {
  readonly #sqlite: DatabaseSync
  readonly statements: Statements
  isPinned = false

  constructor(sqlite: DatabaseSync) {
    this.#sqlite = sqlite
    this.statements = new Statements(sqlite)
  }

  pin(): void {
    if (this.isPinned) return
    this.statements.run('begin')
    // The first read takes the snapshot.
    this.statements.get('select 1 from sqlite_schema limit 1')
    this.isPinned = true
  }

  unpin(): void {
    if (this.isPinned) this.statements.run('commit')
    this.isPinned = false
  }

  close(): void {
    this.statements.clear()
    this.#sqlite.close()
    this.isPinned = false
  }
}
