import type { Gather } from '../../protocol/messages.ts'
import type { Hub } from '../hub.ts'
import type { DeliveryState, Sent } from '../state/query/messages.ts'

/** What of the hub decides it. */
interface Asked {
  presence: Pick<Hub['presence'], 'isSettled' | 'of'>
  steadyNow: number
}

/** How far a question to several has come; undefined for any other message, and for whoever did not ask it. */
export function gatherOf({ presence, steadyNow }: Asked, { deliveries, gathersUntil }: Sent): Gather | undefined {
  if (gathersUntil === undefined) return undefined
  const answered = deliveries.filter(({ answeredAt }) => answeredAt !== undefined).length
  const owing = deliveries.filter(owesAnswer)
  const leftMs = Math.max(0, gathersUntil - steadyNow)
  // Whoever has not been heard of since this hub began may be there all the same.
  const isSomebodyThere = !presence.isSettled || owing.some(({ member }) => presence.of(member).online)
  const open = leftMs > 0 && owing.length > 0 && (answered === 0 || isSomebodyThere)
  return { of: deliveries.length, answered, open, leftMs }
}

/** Whether an answer may still come of itself. An ack is none. */
function owesAnswer({ status, answeredAt }: DeliveryState): boolean {
  return answeredAt === undefined && status !== 'refused' && status !== 'expired'
}
