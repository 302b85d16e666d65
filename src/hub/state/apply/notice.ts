import type { Entry } from '../commands.ts'
import { contentHash } from '../content-hash.ts'
import { hubItself, type MemberRow } from '../query/find-member.ts'
import type { Database } from '../store/database.ts'
import { admit } from './admission.ts'
import { takeRoom } from './room.ts'

/**
 * Stores a message of the hub, which as an `inform` wakes no agent. An inbox that is full goes without, and one that takes no mail, unless
 * what it says is about that member's own: `isOwn`.
 */
export function storeNotice(
  db: Database,
  { seq, time }: Pick<Entry, 'seq' | 'time'>,
  recipient: MemberRow,
  { id, body }: { id: string; body: string },
  isOwn = false,
): void {
  const bytes = Buffer.byteLength(body)
  const { outcome } = admit(db, isOwn ? { ...recipient, inbound: 'accept' } : recipient, {
    sender: hubItself,
    bytes,
    time,
    isUrgent: false,
  })
  if (outcome.status === 'refused') return
  const named = JSON.stringify([recipient.name])
  db.run(
    `insert into message (seq, id, sender, sent_at, named, intent, body, hash, outcome) values (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    seq,
    id,
    hubItself,
    time,
    named,
    'inform',
    body,
    contentHash({ named, body, replyTo: null, intent: 'inform', expiresInS: null }),
    JSON.stringify([outcome]),
  )
  db.run('insert into delivery (recipient, seq, sender) values (?, ?, ?)', recipient.id, seq, hubItself)
  takeRoom(db, recipient, hubItself, bytes)
}
