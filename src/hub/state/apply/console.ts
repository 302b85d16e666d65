import { type CommandOf, type DatedEntry, done, type Entry, type Outcome } from '../commands.ts'
import type { ConsoleCommand } from '../console-commands.ts'
import { memberById } from '../query/find-member.ts'
import { type Refused, refuse } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { limits } from './limits.ts'

type Link = CommandOf<'console.link'>
type Open = CommandOf<'console.open'>
type Close = CommandOf<'console.close'>

/** Owner of the admin's sessions: the row that stands for the hub itself. */
const admin = 0

/** Returns a session's public id in the form used among token ids: in effects, limits and the audit. */
export const sessionToken = (id: string) => `console-${id}`

export function isConsole(command: { type: string }): command is ConsoleCommand {
  return command.type.startsWith('console.')
}

export function applyConsole(db: Database, entry: DatedEntry<ConsoleCommand>): Outcome<ConsoleCommand> {
  const { command } = entry
  switch (command.type) {
    case 'console.link':
      return applyLink(db, { ...entry, command })
    case 'console.open':
      return applyOpen(db, { ...entry, command })
    case 'console.close':
      return applyClose(db, { ...entry, command })
  }
}

/** Creates a link. Deletes expired ones, and the oldest when too many wait for one member. */
function applyLink(db: Database, { time, steady, command }: DatedEntry<Link>): Outcome<Link> {
  const { member, via, hash, lifeS } = command
  const refused = notToBeOpened(db, member)
  if (refused) return refused
  db.run('delete from console_link where expires_steady <= ?', steady)
  db.run(
    'insert or ignore into console_link (hash, member, via, expires_steady) values (?, ?, ?, ?)',
    ...[Buffer.from(hash, 'base64'), member, via, steady + lifeS * 1000],
  )
  db.run(
    `delete from console_link where member = ?1 and hash not in
       (select hash from console_link where member = ?1 order by expires_steady desc, hash <> ?2, hash limit ?3)`,
    ...[member, Buffer.from(hash, 'base64'), limits.linksPerMember],
  )
  return done<Link>({ expiresAt: time + lifeS * 1000 })
}

/** Opens a session, which uses up its link. */
function applyOpen(db: Database, { time, steady, command }: DatedEntry<Open>): Outcome<Open> {
  const { id, cookieHash, tabHash, lifeS, address, browser } = command
  const hash = Buffer.from(command.linkHash, 'base64')
  const link = db.get<{ member: number; via: string; expires_steady: number; used: 0 | 1 }>(
    'select member, via, expires_steady, used from console_link where hash = ?',
    hash,
  )
  if (!link || link.expires_steady <= steady) return refuse('unauthorized', { code: 'link_unknown' })
  if (link.used) return refuse('unauthorized', { code: 'link_used' })
  const { member, via } = link
  const refused = notToBeOpened(db, member)
  if (refused) return refused
  db.run('update console_link set used = 1 where hash = ?', hash)
  const ended = endSessions(db, 'id in (select value from json_each(?))', JSON.stringify(command.replaces))
  const expiresAt = time + lifeS * 1000
  db.run(
    `insert into console_session
       (id, member, via, cookie_hash, tab_hash, since, expires_at, expires_steady, address, browser)
     values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ...[id, member, via, Buffer.from(cookieHash, 'base64'), Buffer.from(tabHash, 'base64')],
    ...[time, expiresAt, steady + lifeS * 1000, address, browser],
  )
  ended.push(
    ...endSessions(
      db,
      `member = ?1 and id not in
         (select id from console_session where member = ?1 order by expires_steady desc, id <> ?2, id limit ?3)`,
      member,
      id,
      limits.sessionsPerMember,
    ),
  )
  return done<Open>({ id, member, expiresAt }, { revoked: ended })
}

function applyClose(db: Database, { command }: Entry<Close>): Outcome<Close> {
  const ended = endSessions(db, 'id in (select value from json_each(?))', JSON.stringify(command.ids))
  return done<Close>({ closed: ended.map(token => token.slice(sessionToken('').length)) }, { revoked: ended })
}

/** Returns the reason why nobody may open the console as this member; undefined when they may. */
function notToBeOpened(db: Database, member: number): Refused | undefined {
  if (member === admin) return undefined
  const row = memberById(db, member)
  const isGone = !row || db.get('select 1 from member where id = ? and deleted_at is not null', member)
  return isGone ? refuse('not_found', { code: 'member_gone' }) : undefined
}

/** Returns the token ids of a member's sessions. */
export function sessionsOf(db: Database, member: number): string[] {
  return db
    .all<{ id: string }>('select id from console_session where member = ? order by id', member)
    .map(({ id }) => sessionToken(id))
}

/** Ends every session of a member, and deletes the links that would open another. Returns their token ids. */
export function endSessionsOf(db: Database, member: number): string[] {
  db.run('delete from console_link where member = ?', member)
  return endSessions(db, 'member = ?', member)
}

/** Ends the sessions that were opened by links of these tokens, and deletes their links. Returns their token ids. */
export function endSessionsVia(db: Database, tokenIds: readonly string[]): string[] {
  if (tokenIds.length === 0) return []
  const ids = JSON.stringify(tokenIds)
  db.run('delete from console_link where via in (select value from json_each(?))', ids)
  return endSessions(db, 'via in (select value from json_each(?))', ids)
}

/** Ends expired sessions, and deletes expired links. */
export function endSessionsDue(db: Database, steady: number): string[] {
  db.run('delete from console_link where expires_steady <= ?', steady)
  return endSessions(db, 'expires_steady <= ?', steady)
}

function endSessions(db: Database, where: string, ...values: (string | number)[]): string[] {
  const ended = db.all<{ id: string }>(`select id from console_session where ${where} order by id`, ...values)
  for (const { id } of ended) db.run('delete from console_session where id = ?', id)
  return ended.map(({ id }) => sessionToken(id))
}
