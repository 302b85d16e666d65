import { type CommandOf, done, type Entry, type Outcome } from './commands.ts'
import type { Database } from './database.ts'
import { settleUnread } from './unread.ts'

type Fetched = CommandOf<'inbox.fetched'>
type Ack = CommandOf<'inbox.ack'>

interface DeliveryRow {
  seq: number
  sender: number
  acked_at: number | null
  expired_at: number | null
}

/** Notes which session was given these messages. The last one to be given a message has it. */
export function applyFetched(db: Database, { seq, time, command }: Entry<Fetched>): Outcome<Fetched> {
  const fetched: string[] = []
  const unknown: string[] = []
  const wake = new Set<number>()
  for (const id of command.ids) {
    const delivery = deliveryOf(db, command.by, id)
    if (!delivery) {
      unknown.push(id)
      continue
    }
    fetched.push(id)
    if (isSettled(delivery)) continue
    db.run(
      'update delivery set fetched_at = ?, fetched_by = ?, changed = ? where recipient = ? and seq = ?',
      time,
      command.session,
      seq,
      command.by,
      delivery.seq,
    )
    wake.add(delivery.sender)
  }
  return done<Fetched>({ fetched, unknown }, { wake: [...wake] })
}

/** Marks messages as read. What is read already or has expired stays as it is; ids that were never here are named. */
export function applyAck(db: Database, { seq, time, command }: Entry<Ack>): Outcome<Ack> {
  const acked: string[] = []
  const unknown: string[] = []
  const wake = new Set<number>()
  for (const id of command.ids) {
    const delivery = ackDelivery(db, { seq, time }, command.by, id)
    if (!delivery) unknown.push(id)
    else {
      acked.push(id)
      wake.add(delivery.sender)
    }
  }
  const { unread } = db.get<{ unread: number }>('select unread from member where id = ?', command.by)!
  return done<Ack>({ acked, unknown, unread }, { wake: [...wake] })
}

/** Acks one message in `recipient`'s inbox. Answers the delivery as it was before, or undefined when it was never there. */
export function ackDelivery(
  db: Database,
  at: { seq: number; time: number },
  recipient: number,
  id: string,
): DeliveryRow | undefined {
  const delivery = deliveryOf(db, recipient, id)
  if (delivery && !isSettled(delivery)) {
    db.run(
      'update delivery set acked_at = ?, changed = ? where recipient = ? and seq = ?',
      at.time,
      at.seq,
      recipient,
      delivery.seq,
    )
    settleUnread(db, recipient, delivery.seq)
  }
  return delivery
}

function deliveryOf(db: Database, recipient: number, id: string): DeliveryRow | undefined {
  return db.get<DeliveryRow>(
    `select d.seq, d.sender, d.acked_at, d.expired_at from message m
     join delivery d on d.recipient = ? and d.seq = m.seq where m.id = ?`,
    recipient,
    id,
  )
}

function isSettled({ acked_at, expired_at }: DeliveryRow): boolean {
  return acked_at !== null || expired_at !== null
}
