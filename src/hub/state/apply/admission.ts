import type { RecipientOutcome } from '../commands.ts'
import { activeBrake } from '../query/brakes.ts'
import type { MemberRow } from '../query/find-member.ts'
import type { NotTaken, Refusal } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { limits } from './limits.ts'
import { whyNoRoom } from './room.ts'

/** Treatment of a delivery: `hold` shows it to the member's user only, `mute` notifies nobody, null is the usual one. */
export type Handling = 'hold' | 'mute' | null

/** The decision of one recipient on a message: its outcome, its handling, and the refusal if it was refused. */
export type Admission = { outcome: RecipientOutcome; handling: Handling; refusal?: Refusal }

/** The data a recipient decides by: sender, bytes of text, urgency, and time (ms since 1970). */
interface Arriving {
  sender: number
  bytes: number
  isUrgent: boolean
  time: number
  /** Project of the recipient that it is for. */
  project?: string
}

/** Checks a message against the policy and the room of `recipient`, and against a brake between the two. */
export function admit(db: Database, recipient: MemberRow, arriving: Arriving): Admission {
  const { id, name, kind, inbound } = recipient
  const { sender, project } = arriving
  const place = project === undefined ? undefined : { project }
  const reason = whyNot(db, recipient, arriving)
  if (reason) {
    const refusal = refusalOf(name, reason, arriving.time)
    return { outcome: { member: id, name, kind, status: 'refused', ...place, reason }, handling: null, refusal }
  }
  const isMuted = recipient.mutes === 1 && db.get('select 1 from mute where member = ? and sender = ?', id, sender)
  // A policy that this program does not know counts as hold, so that it never lets in too much.
  const handling = inbound !== 'accept' && id !== sender ? 'hold' : isMuted ? 'mute' : null
  return { outcome: { member: id, name, kind, status: 'stored', ...place }, handling }
}

function whyNot(db: Database, recipient: MemberRow, arriving: Arriving): NotTaken | undefined {
  const { id, inbound } = recipient
  const { sender, time } = arriving
  if (inbound === 'refuse' && id !== sender) return { code: 'takes_none' }
  const brake = recipient.brakedUntil > time ? activeBrake(db, sender, id, time) : undefined
  if (brake) return { code: 'braked', ...brake }
  return whyNoRoom(db, recipient, arriving)
}

/** Returns the refusal for the sender of a message that every recipient refused. */
export function refusalOf(name: string, reason: NotTaken, time: number): Refusal {
  const why = { code: 'not_taken', name, reason } as const
  switch (reason.code) {
    case 'takes_none':
      return { code: 'forbidden', why }
    case 'braked':
      return { code: 'rate_limited', why, retryAfterMs: reason.until - time, settled: true }
    default:
      return { code: 'rate_limited', why, retryAfterMs: limits.fullRetryMs }
  }
}
