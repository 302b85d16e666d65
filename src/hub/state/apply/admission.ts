import type { RecipientOutcome } from '../commands.ts'
import { activeBrake } from '../query/brakes.ts'
import type { MemberRow } from '../query/find-member.ts'
import type { NotTaken, Refusal } from '../refusals.ts'
import type { Database } from '../store/database.ts'
import { limits } from './limits.ts'
import { whyNoRoom } from './room.ts'

/** How a delivery is treated: `hold` shows it to the member's user only, `mute` tells nobody of it, null as usual. */
export type Handling = 'hold' | 'mute' | null

/** What one recipient does with a message: takes it, and how, or refuses it. */
export type Admission = { outcome: RecipientOutcome; handling: Handling; refusal?: Refusal }

/** What a recipient decides by: from whom, how many bytes of text, whether it is urgent, and when (ms since 1970). */
interface Arriving {
  sender: number
  bytes: number
  isUrgent: boolean
  time: number
  /** For which of the recipient's projects it is. */
  project?: string
}

/** Asks the policy and the room of `recipient`, and any brake between the two, for a message. */
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
  // A policy that this program does not know must not let in more than it says: it counts as hold.
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

/** What the sender is answered when nobody takes the message. */
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
