import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Database } from '../../src/hub/state/store/database.ts'
import { migrate } from '../../src/hub/state/store/migrate.ts'

let content: Buffer | undefined

/**
 * Creates an empty store with the current schema at `path`, unless a file exists there. It copies the result of one run of the migrations
 * in this worker, at a tenth of their cost; each hub that is started cold runs them again.
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
