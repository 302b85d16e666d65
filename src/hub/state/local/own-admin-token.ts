import type { Database } from '../store/database.ts'
import { isDiskFull } from '../store/sqlite-errors.ts'

/** Returns the public ids of the admin tokens that this hub's file has had. */
export function ownAdminTokens(db: Database): string[] {
  return db.all<{ id: string }>('select id from own_admin_token order by id').map(({ id }) => id)
}

/** Records that `id` is the token in this hub's file. On a full disk the next start does. Throws on any other storage error. */
export function saveOwnAdminToken(db: Database, id: string): void {
  const own = ownAdminTokens(db)
  if (own.length === 1 && own[0] === id) return
  try {
    db.transaction(() => {
      db.run('delete from own_admin_token')
      db.run('insert into own_admin_token (id) values (?)', id)
    })
  } catch (error) {
    if (!isDiskFull(error)) throw error
  }
}
