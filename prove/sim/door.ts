import type { Handlers } from '../../src/hub/http/handler.ts'
import { ackInbox, markFetched, markTold, readInbox } from '../../src/hub/http/inbox.ts'
import { sendMessage } from '../../src/hub/http/messages.ts'
import { heartbeat } from '../../src/hub/http/presence.ts'
import type { Hub } from '../../src/hub/hub.ts'
import type { Followed } from '../../src/hub/push/follow.ts'
import { memberByName } from '../../src/hub/state/query/find-member.ts'
import { unreadAfter } from '../../src/hub/state/query/inbox.ts'
import { messageFor } from '../../src/hub/state/query/messages.ts'
import type { ReceiptSeen, Results, Seen } from '../checker/history.ts'

/** A request to a door of the hub. `by` is the name that its credential proves. */
export type Request =
  | { kind: 'send'; by: string; body: { id: string; to: string[]; body: string } & SendOptions }
  | { kind: 'read'; by: string; atLeast: number }
  | { kind: 'ack'; by: string; ids: string[] }
  | { kind: 'fetched'; by: string; ids: string[]; session: string }
  | { kind: 'receipts'; by: string; id: string; atLeast: number }
  | { kind: 'beat'; by: string; session: string; project?: string }
  | { kind: 'unread'; by: string; after?: string; atLeast: number; project?: string }
  | { kind: 'told'; by: string; ids: string[]; session: string; how: string }

interface SendOptions {
  replyTo?: string
  expiresInS?: number
  intent?: 'inform'
}

/** Results by kind of request, as a history records them. */
export type Answers = Omit<Results, 'follow' | 'session'> & { beat: { unread: number }; unread: object; told: object }

/** Maximum number of messages in the response to a read. */
const limit = 100

/** Maximum number of characters of a text in an event, or in a read by a keeper. */
const preview = 200

/** The program's own handlers, without HTTP. */
const handlers = { sendMessage, readInbox, markFetched, markTold, ackInbox, heartbeat } satisfies Partial<Handlers>

/** Runs a request through the program's handlers. Throws their refusals. */
export async function answer(hub: Hub, request: Request): Promise<Answers[Request['kind']]> {
  if (request.kind === 'send') {
    const sent = await ask(hub, 'sendMessage', request.by, { body: request.body })
    return { seq: sent!.seq }
  }
  if (request.kind === 'read') return shownTo(hub, request.by, limit)
  if (request.kind === 'ack') {
    const { acked, unknown } = (await ask(hub, 'ackInbox', request.by, { body: { ids: request.ids } }))!
    return { acked, unknown }
  }
  if (request.kind === 'fetched') {
    const { ids, session } = request
    const { fetched, unknown } = (await ask(hub, 'markFetched', request.by, { body: { ids, session } }))!
    return { fetched, unknown }
  }
  if (request.kind === 'receipts') return receiptsOf(hub, request.by, request.id)
  if (request.kind === 'unread')
    return (await ask(hub, 'readInbox', request.by, {
      query: { limit, preview, after: request.after, project: request.project },
    }))!
  if (request.kind === 'told') {
    const { ids, session, how } = request
    return (await ask(hub, 'markTold', request.by, { body: { ids, session, how } }))!
  }
  const { by, session, project } = request
  const { unread } = (await ask(hub, 'heartbeat', by, { body: { session, client: 'sim/1', project } }))!
  return { unread }
}

/** Returns the event with the message itself, as long as it is unread. */
export function withDelivery(hub: Hub, member: number, event: Followed): Followed {
  if (event.event !== 'inbox') return event
  const [delivery] = unreadAfter(hub.state.db, member, event.data.seq - 1, 1, { preview })
  return delivery?.seq === event.data.seq ? { ...event, data: { ...event.data, delivery } } : event
}

/** Returns the first `most` messages of an inbox as its reader would see them now. */
export function shownTo(hub: Hub, name: string, most: number): Results['read'] {
  const page = ask(hub, 'readInbox', name, { query: { limit: most } }) as {
    messages: Seen[]
    unread: number
    more: number
  }
  const messages = page.messages.map(({ id, seq, from, body }) => ({ id, seq, from, body }))
  return { messages, complete: page.more === 0, unread: page.unread }
}

/** Returns the id of a member. Throws if the hub does not have it. */
export function memberOf(hub: Hub, name: string): number {
  const member = memberByName(hub.state.db, name)
  if (!member) throw new Error(`${name} is lost: the hub does not know this member any more`)
  return member.id
}

export function isMember(hub: Hub, name: string): boolean {
  return memberByName(hub.state.db, name) !== undefined
}

/** Returns receipts from the query that the hub normally runs in the reading thread. */
function receiptsOf(hub: Hub, by: string, id: string): Results['receipts'] {
  const deliveries = messageFor(hub.state.db, memberOf(hub, by), id)?.deliveries ?? []
  const receipts = deliveries.map(
    ({ name, status, fetchedBySession: session }): ReceiptSeen => ({
      recipient: name,
      status,
      ...(status === 'fetched' && session !== undefined && { session }),
    }),
  )
  return { receipts }
}

function ask<Name extends keyof typeof handlers>(
  hub: Hub,
  name: Name,
  by: string,
  parts: { body?: object; query?: object },
): ReturnType<Handlers[Name]> {
  const handler = handlers[name] as (call: unknown) => ReturnType<Handlers[Name]>
  const identity = { role: 'machine', tokenId: by, name: by, member: memberOf(hub, by) }
  const request = { headers: {}, log: { error() {} } }
  return handler({ hub, identity, request, reply: { code() {} }, params: {}, query: {}, ...parts })
}
