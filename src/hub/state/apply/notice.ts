import type { Entry } from '../commands.ts'
import { contentHash } from '../content-hash.ts'
import { hubItself, type MemberRow } from '../query/find-member.ts'
import type { Database } from '../store/database.ts'
import { admit } from './admission.ts'
import { countForProject } from './projects.ts'
import { takeRoom } from './room.ts'

/**
 * Stores a message of the hub, an `inform`, which wakes no agent. It is dropped when the inbox is full, or refuses messages, unless it is
 * about the member's own messages (`isOwn`). With `project` it is for the sessions of that one.
 */
export function storeNotice(
  db: Database,
  { seq, time }: Pick<Entry, 'seq' | 'time'>,
  recipient: MemberRow,
  { id, body }: { id: string; body: string },
  { isOwn = false, project }: { isOwn?: boolean; project?: string } = {},
): void {
  const bytes = Buffer.byteLength(body)
  const { outcome } = admit(db, isOwn ? { ...recipient, inbound: 'accept' } : recipient, {
    sender: hubItself,
    bytes,
    time,
    isUrgent: false,
    project,
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
  db.run(
    'insert into delivery (recipient, seq, sender, project) values (?, ?, ?, ?)',
    ...[recipient.id, seq, hubItself, project ?? null],
  )
  takeRoom(db, [recipient], { sender: hubItself, bytes })
  if (project !== undefined) countForProject(db, recipient.id, project, 1)
}
