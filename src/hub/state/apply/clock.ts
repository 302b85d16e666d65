import type { Intent } from '../../../protocol/messages.ts'
import { type CommandOf, type DatedEntry, done, type Outcome } from '../commands.ts'
import { recipientsOf } from '../query/recipients.ts'
import type { Database } from '../store/database.ts'
import { endSessionsDue } from './console.ts'
import { limits } from './limits.ts'
import { forgetProjects } from './projects.ts'
import { deleteWhatIsOver } from './retention.ts'
import { endTokensDue } from './tokens.ts'
import { settleUnread } from './unread.ts'
import { beginningOf, noteUntold } from './untold.ts'

type Tick = CommandOf<'clock.tick'>

/** From this version of entries on, senders are notified of requests that expired unread. */
const ordersToldFrom = 3

interface DueRow {
  seq: number
  sender: number
  outcome: string
  intent: Intent
}

/**
 * Ends everything that is due by the entry's steady time: unread deliveries past their sender's limit, tokens that were replaced or are too
 * old, console sessions, projects that were not seen for long, and texts and records of messages that are over. Returns how many deliveries
 * expired, and whether more may be due.
 */
export function applyTick(db: Database, { v = 1, seq, time, steady }: DatedEntry<Tick>): Outcome<Tick> {
  const due = db.all<DueRow>(
    `select seq, sender, outcome, intent from message where expired = 0 and expires_steady <= ?
     order by expires_steady, seq limit ?`,
    steady,
    limits.expiredPerTick,
  )
  const wake = new Set<number>()
  let expired = 0
  for (const message of due) {
    db.run('update message set expired = 1 where seq = ?', message.seq)
    const unread: number[] = []
    for (const { member, project } of recipientsOf(db, message)) {
      const changed = db.run(
        `update delivery set expired_at = ?, changed = ?
         where recipient = ? and seq = ? and acked_at is null and expired_at is null`,
        time,
        seq,
        member,
        message.seq,
      )
      if (changed === 0) continue
      settleUnread(db, member, [{ seq: message.seq, project }])
      wake.add(message.sender)
      unread.push(member)
    }
    expired += unread.length
    if (v >= ordersToldFrom && message.intent !== 'inform' && unread.length > 0) noteExpired(db, message, unread)
  }
  deleteWhatIsOver(db, { time, steady })
  forgetProjects(db, steady)
  return done<Tick>(
    { expired, more: due.length === limits.expiredPerTick },
    { wake: [...wake], revoked: [...endTokensDue(db, { seq, time, steady }), ...endSessionsDue(db, steady)] },
  )
}

/** Notes for the sender that a request expired before `members` had acked it. */
function noteExpired(db: Database, { seq, sender }: DueRow, members: readonly number[]): void {
  const { id, named, body, project } = db.get<{ id: string; named: string; body: string; project: string | null }>(
    'select id, named, body, from_project as project from message where seq = ?',
    seq,
  )!
  const at = db.all<{ name: string; fetched: 0 | 1 }>(
    `select r.name, d.fetched_at is not null as fetched from json_each(?2) m
     join delivery d on d.recipient = m.value and d.seq = ?1 join member r on r.id = d.recipient order by m.key limit ?3`,
    seq,
    JSON.stringify(members),
    limits.toldNames,
  )
  noteUntold(db, sender, {
    what: 'expired',
    id,
    to: JSON.parse(named) as string[],
    beginning: beginningOf(body),
    project: project ?? undefined,
    at: at.map(({ name, fetched }) => ({ name, fetched: fetched === 1 })),
    members: members.length,
  })
}
