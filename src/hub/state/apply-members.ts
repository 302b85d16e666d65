import { type CommandOf, done, type Entry, type Outcome, refuse } from './commands.ts'
import type { Database } from './database.ts'
import { memberByName, nearestNames } from './members.ts'

type Invite = CommandOf<'member.invite'>
type Join = CommandOf<'member.join'>
type AdminToken = CommandOf<'admin.token'>

/**
 * Makes the member, so that mail can wait for it, and a code to join as it. For a member that exists the inbox stays; the
 * code replaces any earlier one.
 */
export function applyInvite(db: Database, { time, command }: Entry<Invite>): Outcome<Invite> {
  const { name, kind, codeHash, lifeS } = command
  const existing = memberByName(db, name)
  if (existing && existing.kind !== kind) {
    return refuse('conflict', `${name} is a ${existing.kind}, not a ${kind}.`, 'Choose another name.')
  }
  const owner = command.owner === undefined ? undefined : memberByName(db, command.owner)
  if (command.owner !== undefined && owner?.kind !== 'human') {
    const nearest = owner ? [] : nearestNames(db, command.owner)
    return refuse(
      'not_found',
      owner ? `${command.owner} is a machine, so it can own nothing.` : `No human is called '${command.owner}'.`,
      nearest.length > 0
        ? `Did you mean ${nearest.join(' or ')}?`
        : `Make the human first: claude-net invite NAME --human`,
    )
  }
  if (!existing) db.run('insert into member (name, kind, created_at) values (?, ?, ?)', name, kind, time)
  const { id } = memberByName(db, name)!
  if (owner) db.run('update member set owner = ? where id = ?', owner.id, id)

  const expiresAt = time + lifeS * 1000
  db.run('delete from invite where member = ? and used_by is null', id)
  db.run('delete from invite where expires_at <= ?', time)
  db.run(
    'insert into invite (code_hash, member, expires_at) values (?, ?, ?)',
    Buffer.from(codeHash, 'base64'),
    id,
    expiresAt,
  )
  return done<Invite>({ name, expiresAt, renewed: existing !== undefined })
}

/**
 * Exchanges a code for a token. The same exchange (code, name, token) may be repeated until the code's time is over: an
 * answer lost on its way costs nothing. The member's earlier token dies.
 */
export function applyJoin(db: Database, { time, command }: Entry<Join>): Outcome<Join> {
  const tokenHash = Buffer.from(command.tokenHash, 'base64')
  const codeHash = Buffer.from(command.codeHash, 'base64')
  const invite = db.get<InviteRow>(
    `select i.member, i.expires_at, i.used_by, m.name, m.kind from invite i join member m on m.id = i.member
     where i.code_hash = ?`,
    codeHash,
  )
  if (!invite || invite.expires_at <= time) {
    return refuse('unauthorized', 'This join code is unknown or its 10 minutes are over.', askAdmin(command.name))
  }
  if (invite.name !== command.name) {
    return refuse('forbidden', 'This join code was made for another name.', askAdmin(command.name))
  }
  if (invite.used_by) {
    const same = tokenHash.equals(invite.used_by) && db.get('select 1 from token where hash = ?', tokenHash)
    if (same) return done<Join>({ name: invite.name, kind: invite.kind })
    return refuse('unauthorized', 'This join code was used already.', askAdmin(command.name))
  }
  if (command.role !== invite.kind) {
    return refuse(
      'invalid',
      `${invite.name} is a ${invite.kind} and needs a ${invite.kind}'s token.`,
      'Run claude-net join.',
    )
  }
  if (db.get('select 1 from token where id = ? and member is not ?', command.tokenId, invite.member)) {
    return refuse('conflict', 'A token with this id exists.', 'Run claude-net join again; it mints another.')
  }
  const revoked = db.all<{ id: string }>('select id from token where member = ? order by id', invite.member)
  db.run('delete from token where member = ?', invite.member)
  db.run(
    'insert into token (id, hash, role, member, created_at) values (?, ?, ?, ?, ?)',
    command.tokenId,
    tokenHash,
    invite.kind,
    invite.member,
    time,
  )
  db.run('update invite set used_by = ? where code_hash = ?', tokenHash, codeHash)
  db.run('update member set joined_at = ? where id = ?', time, invite.member)
  return done<Join>({ name: invite.name, kind: invite.kind }, { revoked: revoked.map(token => token.id) })
}

/** Makes this the one admin token. */
export function applyAdminToken(db: Database, { time, command }: Entry<AdminToken>): Outcome<AdminToken> {
  const revoked = db.all<{ id: string }>(`select id from token where role = 'admin' order by id`)
  db.run(`delete from token where role = 'admin'`)
  db.run(
    `insert into token (id, hash, role, created_at) values (?, ?, 'admin', ?)`,
    command.tokenId,
    Buffer.from(command.tokenHash, 'base64'),
    time,
  )
  return done<AdminToken>({}, { revoked: revoked.map(token => token.id) })
}

interface InviteRow {
  member: number
  expires_at: number
  used_by: Uint8Array | null
  name: string
  kind: 'machine' | 'human'
}

function askAdmin(name: string): string {
  return `Ask the admin for a new one: claude-net invite ${name}`
}
