import type { Intent } from '../../../protocol/messages.ts'
import type { ProjectScope } from '../../../protocol/projects.ts'
import { unreadSeqs, unreadSeqsOf } from '../local/inbox-index.ts'
import type { Database } from '../store/database.ts'
import { timestamp } from '../timestamp.ts'
import { isInScope } from './projects.ts'
import { unlessUnreadable } from './read-around-damage.ts'
import { unreadSeqsAroundDamage } from './unread-around-damage.ts'

/** A change that a member's followers are sent, in the order of the journal. */
export type Change =
  | { kind: 'delivery'; seq: number; id: string; from: string; intent: Intent; project?: string }
  | {
      kind: 'receipt'
      seq: number
      id: string
      recipient: string
      status: 'fetched' | 'acked' | 'expired'
      at: string
      noticed?: true
    }

/**
 * Returns changes for `member` after a seq (one for each kind of change): unread deliveries to it and receipts of its messages, oldest
 * first. Several changes may share a seq (one ack of many messages); a page never ends between them, so it may be longer than `atLeast`.
 * With `scope`, deliveries for other projects are left out.
 */
export function changesAfter(
  db: Database,
  member: number,
  after: { deliveries: number; receipts: number },
  atLeast: number,
  scope?: ProjectScope,
): Change[] {
  const deliveries =
    unlessUnreadable(() => deliveriesAfter(db, member, after.deliveries, atLeast, scope)) ??
    deliveriesAround(db, member, after.deliveries, atLeast, scope)
  // Receipts are shown with the messages themselves, too, so a damaged store leaves them out.
  const receipts = unlessUnreadable(() => receiptsAfter(db, member, after.receipts, atLeast)) ?? []
  // A full list may continue after its last seq, so nothing later can be returned yet.
  const end = Math.min(endOf(deliveries, atLeast), endOf(receipts, atLeast))
  return [...deliveries, ...receipts].filter(change => change.seq <= end).sort((a, b) => a.seq - b.seq)
}

function deliveriesAfter(
  db: Database,
  member: number,
  afterSeq: number,
  limit: number,
  scope: ProjectScope | undefined,
): Change[] {
  const seqs = scope === undefined ? unreadSeqs : unreadSeqsOf(4)
  return db
    .all<{ seq: number; id: string; name: string; intent: Intent; project: string | null }>(
      `select u.seq, m.id, s.name, m.intent, u.project
       from (select seq, project from (${seqs}) where handling is not 'mute' order by seq limit ?3) u
       join message m on m.seq = u.seq join member s on s.id = m.sender order by u.seq`,
      ...[member, afterSeq, limit],
      ...(scope === undefined ? [] : [scope]),
    )
    .map(({ name, project, ...row }) => ({ kind: 'delivery', ...row, from: name, ...(project && { project }) }))
}

/** Returns the deliveries of a damaged store, without those that cannot be read. */
function deliveriesAround(
  db: Database,
  member: number,
  afterSeq: number,
  limit: number,
  scope: ProjectScope | undefined,
): Change[] {
  const changes: Change[] = []
  for (let upTo = afterSeq; changes.length < limit; ) {
    const found = unreadSeqsAroundDamage(db, member, upTo, limit)
    for (const { seq, handling, project } of found) {
      const row = unlessUnreadable(() =>
        db.get<{ id: string; name: string; intent: Intent }>(
          'select m.id, s.name, m.intent from message m join member s on s.id = m.sender where m.seq = ?',
          seq,
        ),
      )
      if (row && handling !== 'mute' && isInScope(project, scope)) {
        const { id, name: from, intent } = row
        changes.push({ kind: 'delivery', seq, id, from, intent, ...(project && { project }) })
      }
      upTo = seq
    }
    if (found.length < limit) break
  }
  return changes.slice(0, limit)
}

function receiptsAfter(db: Database, member: number, afterSeq: number, limit: number): Change[] {
  const rows = db.all<{
    changed: number
    id: string
    name: string
    fetched_at: number | null
    acked_at: number | null
    expired_at: number | null
    noticed: 0 | 1
  }>(
    `select d.changed, m.id, r.name, d.fetched_at, d.acked_at, d.expired_at,
       m.expired = 1 and m.intent <> 'inform' as noticed
     from delivery d join message m on m.seq = d.seq join member r on r.id = d.recipient
     where d.sender = ?1 and d.changed > ?2 and d.changed <= coalesce(
       (select changed from delivery where sender = ?1 and changed > ?2 order by changed limit 1 offset ?3),
       9007199254740991)
     order by d.changed, d.seq, d.recipient`,
    member,
    afterSeq,
    limit - 1,
  )
  return rows.map(row => {
    const [status, at] =
      row.expired_at !== null
        ? (['expired', row.expired_at] as const)
        : row.acked_at !== null
          ? (['acked', row.acked_at] as const)
          : (['fetched', row.fetched_at!] as const)
    const noticed = status === 'expired' && row.noticed === 1 && { noticed: true as const }
    return { kind: 'receipt', seq: row.changed, id: row.id, recipient: row.name, status, at: timestamp(at), ...noticed }
  })
}

function endOf(changes: Change[], limit: number): number {
  return changes.length >= limit ? changes.at(-1)!.seq : Number.MAX_SAFE_INTEGER
}
