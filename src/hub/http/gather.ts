import type { Gather } from '../../protocol/messages.ts'
import type { Hub } from '../hub.ts'
import type { DeliveryState, Sent } from '../state/query/messages.ts'

/** Parts of the hub on which the state of a question depends. */
interface Parts {
  presence: Pick<Hub['presence'], 'isSettled' | 'of'>
  steadyNow: number
}

/** Returns the state of a question to several; undefined for any other message, and for readers other than its sender. */
export function gatherOf({ presence, steadyNow }: Parts, { deliveries, gathersUntil }: Sent): Gather | undefined {
  if (gathersUntil === undefined) return undefined
  const answered = deliveries.filter(({ answeredAt }) => answeredAt !== undefined).length
  const owing = deliveries.filter(owesAnswer)
  const leftMs = Math.max(0, gathersUntil - steadyNow)
  // Until presence has settled after a start, a member without a heartbeat may still be online.
  const isSomebodyOnline = !presence.isSettled || owing.some(({ member }) => presence.of(member).online)
  const open = leftMs > 0 && owing.length > 0 && (answered === 0 || isSomebodyOnline)
  return { of: deliveries.length, answered, open, leftMs }
}

/** Reports whether a recipient may still answer. An ack is not an answer. */
function owesAnswer({ status, answeredAt }: DeliveryState): boolean {
  return answeredAt === undefined && status !== 'refused' && status !== 'expired'
}
