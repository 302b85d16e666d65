import type { Role } from '../../../protocol/token.ts'
import type { Database } from '../store/database.ts'

/** A session of the console. Times in ms since 1970, `limit` in steady time. */
export interface ConsoleSession {
  /** Public id. */
  id: string
  /** 0 for the admin. */
  member: number
  name: string
  role: Role
  cookieHash: Uint8Array
  since: number
  expiresAt: number
  limit: number
  /** Address of its login, and the browser as it names itself. */
  address: string
  browser: string
  /** Ranges of addresses that its member's tokens are bound to, as JSON; null for anywhere. */
  boundTo: string | null
}

const select = `select s.id, s.member, case when s.member = 0 then 'admin' else m.name end as name,
  case when s.member = 0 then 'admin' else m.kind end as role, s.cookie_hash as cookieHash, s.since,
  s.expires_at as expiresAt, s.expires_steady as "limit", s.address, s.browser,
  case when s.member = 0 then null else m.bound_to end as boundTo
  from console_session s left join member m on m.id = s.member`

/** Returns the session whose tab has this secret; undefined when there is none. */
export function sessionOfTab(db: Database, tabHash: Buffer): ConsoleSession | undefined {
  return db.get<ConsoleSession>(`${select} where s.tab_hash = ?`, tabHash)
}

export function consoleSessionById(db: Database, id: string): ConsoleSession | undefined {
  return db.get<ConsoleSession>(`${select} where s.id = ?`, id)
}

/** Returns the sessions of a member, or of all when it is undefined, newest first. */
export function consoleSessions(db: Database, member?: number): ConsoleSession[] {
  const order = 'order by s.since desc, s.id'
  return member === undefined
    ? db.all<ConsoleSession>(`${select} ${order}`)
    : db.all<ConsoleSession>(`${select} where s.member = ? ${order}`, member)
}

/** Returns the public ids of sessions that have one of these cookies. */
export function sessionsWithCookie(db: Database, cookieHashes: readonly Buffer[]): string[] {
  return cookieHashes.flatMap(hash =>
    db.all<{ id: string }>('select id from console_session where cookie_hash = ?', hash).map(({ id }) => id),
  )
}

/**
 * Returns the member of a link that can be used at `steady`, and the ranges that its tokens are bound to, as JSON; undefined for any other
 * link.
 */
export function openConsoleLink(
  db: Database,
  hash: Buffer,
  steady: number,
): { name: string; boundTo: string | null } | undefined {
  return db.get(
    `select coalesce(m.name, 'admin') as name, case when l.member = 0 then null else m.bound_to end as boundTo
     from console_link l left join member m on m.id = l.member
     where l.hash = ? and l.used = 0 and l.expires_steady > ?`,
    hash,
    steady,
  )
}

/** Reports whether a link is stored, used or not. */
export function isConsoleLink(db: Database, hash: Buffer): boolean {
  return db.get('select 1 from console_link where hash = ?', hash) !== undefined
}

/** Returns the last recorded use of a session, by its token id, in ms since 1970. */
export function sessionUsedAt(db: Database, tokenId: string): number | undefined {
  return db.get<{ at: number }>('select at from token_use where id = ?', tokenId)?.at
}
