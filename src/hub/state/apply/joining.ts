import { type CommandOf, type DatedEntry, done, type Entry, type Outcome } from '../commands.ts'
import { refuse } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { endSessionsOf, endSessionsVia } from './console.ts'
import { addMember, humanMeant } from './members.ts'
import { limitLife } from './tokens.ts'

type Invite = CommandOf<'member.invite'>
type Join = CommandOf<'member.join'>
type AdminToken = CommandOf<'admin.token'>

/**
 * Creates the member, so that messages can wait for it, and a code to join as it. An existing member keeps its inbox; the code replaces any
 * earlier one.
 */
export function applyInvite(db: Database, { time, steady, command }: DatedEntry<Invite>): Outcome<Invite> {
  const { name, codeHash, lifeS, overlapS = 0 } = command
  const owner = command.owner === undefined ? undefined : humanMeant(db, command.owner)
  if (owner && !owner.ok) return owner
  const added = addMember(db, time, command)
  if (!added.ok) return added
  const { id } = added.member
  if (owner) db.run('update member set owner = ? where id = ?', owner.human.id, id)

  const expiresAt = time + lifeS * 1000
  db.run('delete from invite where member = ? and used_by is null', id)
  db.run('delete from invite where expires_steady <= ?', steady)
  db.run(
    'insert into invite (code_hash, member, expires_at, expires_steady, overlap_s) values (?, ?, ?, ?, ?)',
    Buffer.from(codeHash, 'base64'),
    id,
    expiresAt,
    steady + lifeS * 1000,
    overlapS,
  )
  return done<Invite>({ name, expiresAt, renewed: !added.isNew })
}

/**
 * Exchanges a code for a token, and ends the member's earlier token. The same exchange (code, name, token) may be repeated until the code
 * expires, so that a lost response does no harm.
 */
export function applyJoin(db: Database, { time, steady, command }: DatedEntry<Join>): Outcome<Join> {
  const tokenHash = Buffer.from(command.tokenHash, 'base64')
  const codeHash = Buffer.from(command.codeHash, 'base64')
  const invite = db.get<InviteRow>(
    `select i.member, i.expires_steady, i.used_by, i.overlap_s, m.name, m.kind from invite i join member m on m.id = i.member
     where i.code_hash = ?`,
    codeHash,
  )
  if (!invite || invite.expires_steady <= steady) {
    return refuse('unauthorized', { code: 'code_unknown', name: command.name })
  }
  if (invite.name !== command.name) {
    return refuse('forbidden', { code: 'code_of_another', name: command.name })
  }
  if (invite.used_by) {
    const same = tokenHash.equals(invite.used_by) && db.get('select 1 from token where hash = ?', tokenHash)
    if (same) return done<Join>({ name: invite.name, kind: invite.kind })
    return refuse('unauthorized', { code: 'code_used', name: command.name })
  }
  if (command.role !== invite.kind) {
    return refuse('invalid', { code: 'token_of_another_kind', name: invite.name, kind: invite.kind })
  }
  if (db.get('select 1 from token where id = ? and member is not ?', command.tokenId, invite.member)) {
    return refuse('conflict', { code: 'token_id_taken' })
  }
  const revoked = endEarlierTokens(db, invite, { time, steady })
  db.run(
    `insert into token (id, hash, role, member, created_at) values (?, ?, ?, ?, ?)
     on conflict (id) do update set hash = excluded.hash, created_at = excluded.created_at, ends_at = null, ends_steady = null`,
    command.tokenId,
    tokenHash,
    invite.kind,
    invite.member,
    time,
  )
  limitLife(db, command.tokenId, steady)
  db.run('update invite set used_by = ? where code_hash = ?', tokenHash, codeHash)
  db.run('update member set joined_at = ? where id = ?', time, invite.member)
  return done<Join>({ name: invite.name, kind: invite.kind }, { revoked })
}

/** Stores an admin token in place of those that it replaces. */
export function applyAdminToken(db: Database, { time, command }: Entry<AdminToken>): Outcome<AdminToken> {
  const ending = command.replaces && new Set([...command.replaces, command.tokenId])
  const revoked = db
    .all<{ id: string }>(`select id from token where role = 'admin' order by id`)
    .filter(({ id }) => ending?.has(id) ?? true)
  for (const { id } of revoked) db.run('delete from token where id = ?', id)
  db.run(
    `insert into token (id, hash, role, created_at) values (?, ?, 'admin', ?)`,
    command.tokenId,
    Buffer.from(command.tokenHash, 'base64'),
    time,
  )
  const ended = revoked.map(token => token.id)
  // Sessions may have been opened with the ended tokens.
  const sessions = ended.length > 0 ? [...endSessionsOf(db, 0), ...endSessionsVia(db, ended)] : []
  return done<AdminToken>({}, { revoked: [...ended, ...sessions] })
}

/** Ends the member's tokens, now or when the overlap of a rotation is over. Returns the ids of those that end now. */
function endEarlierTokens(
  db: Database,
  { member, overlap_s }: InviteRow,
  now: { time: number; steady: number },
): string[] {
  if (overlap_s > 0) {
    const overlapMs = overlap_s * 1000
    db.run(
      'update token set ends_at = ?, ends_steady = ? where member = ? and ends_at is null',
      now.time + overlapMs,
      now.steady + overlapMs,
      member,
    )
    return []
  }
  const ended = db.all<{ id: string }>('select id from token where member = ? order by id', member)
  db.run('delete from token where member = ?', member)
  const ids = ended.map(({ id }) => id)
  return [...ids, ...endSessionsVia(db, ids)]
}

interface InviteRow {
  member: number
  expires_steady: number
  used_by: Uint8Array | null
  overlap_s: number
  name: string
  kind: 'machine' | 'human'
}
