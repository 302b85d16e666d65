import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Database } from '../../src/hub/state/store/database.ts'
import { migrate } from '../../src/hub/state/store/migrate.ts'

let content: Buffer | undefined

/**
 * Puts a store at `path` as the migrations leave it, with no row, unless there is one. It costs a tenth of what the migrations do, which
 * run once per worker here, and in each hub that is started cold.
 */
export function ensureStore(path: string): void {
  if (existsSync(path)) return
  content ??= migrated()
  writeFileSync(path, content, { mode: 0o600, flag: 'wx' })
}

function migrated(): Buffer {
  const dir = mkdtempSync(join(tmpdir(), 'claude-net-empty-store-'))
  const file = join(dir, 'hub.db')
  try {
    const db = new Database(file)
    migrate(db, { backupDir: dir, backup: () => {} })
    db.close()
    return readFileSync(file)
  } finally {
    rmSync(dir, { recursive: true })
  }
}
