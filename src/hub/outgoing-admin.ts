import type * as z from 'zod'
import type { DeadLetters, OutgoingAdded, OutgoingList, OutgoingRequest, OutgoingTested } from '../protocol/outgoing.ts'

/** The admin's operations on webhooks that post events. All throw `not_found` for an unknown name. */
export interface OutgoingAdmin {
  /** Throws `invalid` for a URL, filter or body that cannot work. */
  add(request: OutgoingRequest): Promise<z.output<typeof OutgoingAdded>>
  list(): z.output<typeof OutgoingList>
  remove(name: string): Promise<{ name: string; undelivered: number }>
  /** Posts a test event now. Takes as long as the receiver, up to the time limit of a post. */
  test(name: string): Promise<OutgoingTested>
  rotate(name: string): Promise<z.output<typeof OutgoingAdded>>
  dead(name: string): z.output<typeof DeadLetters>
  /** Retries one dead letter, or all of them. */
  retry(name: string, id?: string): Promise<{ name: string; retried: number }>
  drop(name: string): Promise<{ name: string; dropped: number }>
}
