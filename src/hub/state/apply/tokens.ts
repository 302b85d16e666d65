import { type CommandOf, type DatedEntry, done, type Entry, type Outcome } from '../commands.ts'
import { memberMeant } from '../query/find-member.ts'
import { tokenDays } from '../query/settings.ts'
import { refuse, refuseUnknown } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { endSessionsVia, sessionsOf } from './console.ts'
import { limits } from './limits.ts'
import { tokensOf } from './members.ts'

type Limit = CommandOf<'token.limit'>
type Renew = CommandOf<'token.renew'>
type Bind = CommandOf<'member.bind'>

const dayMs = 86_400_000

/**
 * Sets the life of tokens. Existing tokens may be older: each gets the full time from now on, and is to be renewed at once if half of it
 * has passed since it was made. The same number again changes nothing.
 */
export function applyTokenLimit(db: Database, { time, steady, command }: DatedEntry<Limit>): Outcome<Limit> {
  const { days } = command
  if (days === tokenDays(db)) return done<Limit>({ days })
  db.run('update setting set token_days = ?', days)
  if (days === 0) {
    db.run('update token set renew_steady = null, limit_steady = null where limit_steady is not null')
  } else {
    db.run(
      `update token set limit_steady = ?1 + ?2, renew_steady = ?1 + max(0, ?3 - max(0, ?4 - created_at))
       where member is not null and ends_at is null`,
      steady,
      days * dayMs,
      days * dayMs * limits.renewAfterPart,
      time,
    )
  }
  return done<Limit>({ days }, { tokensChanged: true })
}

/** Sets the end of a new token, and the time at which its machine renews it, by the setting. */
export function limitLife(db: Database, id: string, steady: number): void {
  const days = tokenDays(db)
  db.run(
    'update token set renew_steady = ?, limit_steady = ?, renewed_at = null where id = ?',
    days === 0 ? null : steady + days * dayMs * limits.renewAfterPart,
    days === 0 ? null : steady + days * dayMs,
    id,
  )
}

/** Replaces a machine's token by the one it has minted. */
export function applyTokenRenew(db: Database, { time, steady, command }: DatedEntry<Renew>): Outcome<Renew> {
  const { by, tokenId, newId, newHash, overlapS, atMost } = command
  const hash = Buffer.from(newHash, 'base64')
  const old = db.get<{ role: string; ends_at: number | null; limit_steady: number | null }>(
    'select role, ends_at, limit_steady from token where id = ? and member = ?',
    tokenId,
    by,
  )
  if (!old) return refuse('unauthorized', { code: 'token_ended' })
  const taken = db.get<{ member: number | null; hash: Uint8Array }>(
    'select member, hash from token where id = ?',
    newId,
  )
  if (taken && (taken.member !== by || !hash.equals(taken.hash))) {
    return refuse('conflict', { code: 'token_id_taken' })
  }
  if (taken) return done<Renew>({ tokenId: newId, goesOnUntil: newId === tokenId ? null : old.ends_at })
  if (old.ends_at !== null) return refuse('conflict', { code: 'token_replaced' })
  const { n: tokens } = db.get<{ n: number }>(
    'select count(*) as n from token where member = ? and ends_at is not null',
    by,
  )!
  if (tokens >= atMost) {
    const { refusal } = refuse('rate_limited', { code: 'tokens_overlap', tokens })
    return { ok: false, refusal: { ...refusal, retryAfterMs: overlapS * 1000 } }
  }
  db.run(
    'insert into token (id, hash, role, member, created_at) values (?, ?, ?, ?, ?)',
    ...[newId, hash, old.role, by, time],
  )
  limitLife(db, newId, steady)
  const leftMs = Math.min(overlapS * 1000, (old.limit_steady ?? Infinity) - steady)
  db.run(
    'update token set ends_at = ?, ends_steady = ?, limit_steady = null, renew_steady = null, renewed_at = ? where id = ?',
    ...[time + leftMs, steady + leftMs, time, tokenId],
  )
  return done<Renew>({ tokenId: newId, goesOnUntil: time + leftMs }, { tokensChanged: true })
}

/**
 * Sets the addresses from which a member's tokens may be used. Open streams are closed, so that their readers reconnect from an address
 * that is checked.
 */
export function applyBind(db: Database, { command }: Entry<Bind>): Outcome<Bind> {
  const member = memberMeant(db, command.name)
  if (!member) return refuseUnknown(command.name)
  const ranges = [...new Set(command.ranges)]
  db.run('update member set bound_to = ? where id = ?', ranges.length === 0 ? null : JSON.stringify(ranges), member.id)
  return done<Bind>({ name: member.name, ranges }, { revoked: [...tokensOf(db, member), ...sessionsOf(db, member.id)] })
}

/** Ends expired tokens, and records why where their machine could not expect it. Returns their ids. */
export function endTokensDue(
  db: Database,
  { seq, time, steady }: Pick<DatedEntry, 'seq' | 'time' | 'steady'>,
): string[] {
  const ended = db.all<{
    id: string
    hash: Uint8Array
    member: number
    renewed_at: number | null
    limit_steady: number | null
  }>(
    `select id, hash, member, renewed_at, limit_steady from token
     where ends_steady <= ?1 or limit_steady <= ?1 order by id`,
    steady,
  )
  for (const { id, hash, member, renewed_at, limit_steady } of ended) {
    db.run('delete from token where id = ?', id)
    const isTooOld = limit_steady !== null && limit_steady <= steady
    if (renewed_at === null && !isTooOld) continue
    const why = renewed_at === null ? 'age' : 'renewed'
    db.run(
      'insert or replace into ended_token (id, hash, member, why, at, seq) values (?, ?, ?, ?, ?, ?)',
      ...[id, hash, member, why, time, seq],
    )
    db.run(
      `delete from ended_token where member = ?1 and id not in
         (select id from ended_token where member = ?1 order by seq desc, id limit ?2)`,
      member,
      limits.endedPerMember,
    )
  }
  const ids = ended.map(({ id }) => id)
  return [...ids, ...endSessionsVia(db, ids)]
}
