import { ClaudeNetError } from '../../protocol/errors.ts'
import { newMessageId } from '../../protocol/ids.ts'
import { keptHeader, type MessageWithReceipts, maxBodyBytes, type Receipt, tooLarge } from '../../protocol/messages.ts'
import { type Address, addressOf } from '../../protocol/projects.ts'
import type { Hub } from '../hub.ts'
import { senderMeant } from '../state/query/find-member.ts'
import { firstOf } from '../state/query/inbox.ts'
import { laterDueAt } from '../state/query/later.ts'
import { machinesByOwner } from '../state/query/members.ts'
import type { DeliveryState, Sent } from '../state/query/messages.ts'
import { refused, storedReasonInWords } from '../state/refusal-words.ts'
import { refuseUnknown } from '../state/refusals.ts'
import { timestamp } from '../state/timestamp.ts'
import { gatherOf } from './gather.ts'
import type { Handlers } from './handler.ts'
import { projectReachOf, reachOf } from './presence.ts'

/** Most machines of a person that are named where somebody writes to the person. */
const maxNamed = 5

/** `POST /v1/messages`: 201 when stored, 200 when this id was stored before. */
export const sendMessage: Handlers['sendMessage'] = async ({ hub, identity, body, request, reply }) => {
  const bytes = Buffer.byteLength(body.body)
  if (bytes > maxBodyBytes) throw tooLarge(bytes)
  const sent = await hub.submit({
    type: 'message.send',
    id: body.id ?? newMessageId(),
    by: identity.member,
    to: typeof body.to === 'string' ? [body.to] : body.to,
    body: body.body,
    replyTo: body.replyTo,
    mustKnowReply: true,
    intent: body.intent,
    expiresInS: body.expiresInS,
    withinS: body.withinS,
    ...(body.at !== undefined && { at: Date.parse(body.at) }),
    ...(body.fromProject !== undefined && identity.role === 'machine' && { fromProject: body.fromProject }),
    ...(request.headers[keptHeader] !== undefined && { wasKept: true as const }),
  })
  reply.code(sent.repeated ? 200 : 201)
  const isToPeople = sent.recipients.some(({ kind }) => kind === 'human')
  const owned = isToPeople ? machinesByOwner(hub.state.db) : new Map<number, string[]>()
  return {
    id: sent.id,
    seq: sent.seq,
    sentAt: timestamp(sent.sentAt),
    ...(sent.at !== undefined && { at: timestamp(sent.at) }),
    recipients: sent.recipients.map(({ member, name, kind, status, ...stored }) => {
      const reason = storedReasonInWords(name, stored.reason)
      return {
        name,
        kind,
        status,
        ...(reason && { reason }),
        ...reachOf(hub, member, kind),
        ...projectReachOf(hub, member, stored.project),
        ...(kind === 'human' && { machines: owned.get(member)?.slice(0, maxNamed) ?? [] }),
      }
    }),
  }
}

/** `GET /v1/messages/:id`: the same `not_found` for a message that does not exist and for one of others. */
export const getMessage: Handlers['getMessage'] = async ({ hub, identity, params }) => {
  const found = await hub.reader.ask('message', { reader: identity.member, id: params.id }, identity.tokenId)
  if (!found) {
    if (hub.damage) throw hub.damage
    const dueAt = laterDueAt(hub.state.db, identity.member, params.id)
    if (dueAt !== undefined) throw waitsForLater(params.id, dueAt)
    throw new ClaudeNetError(
      'not_found',
      `You have neither sent nor received a message ${params.id}.`,
      'Check the id; it stands in what claude_net_send answered and in your inbox.',
    )
  }
  return withReceipts(hub, found)
}

function waitsForLater(id: string, dueAt: number): ClaudeNetError {
  return new ClaudeNetError(
    'not_found',
    `Message ${id} is later mail, and in no inbox before ${timestamp(dueAt)}.`,
    'claude-net later shows it.',
  )
}

/** `GET /v1/messages`: what the caller sent or was sent, each with the receipts that the caller may see. */
export const listMessages: Handlers['listMessages'] = async ({ hub, identity, query }) => {
  const { db } = hub.state
  const { name, project }: Partial<Address> = query.with === undefined ? {} : addressOf(query.with)
  const other = name === undefined ? undefined : senderMeant(db, name)
  if (query.with !== undefined && !other) throw refused(db, refuseUnknown(query.with).refusal)
  const before = query.before ?? Number.MAX_SAFE_INTEGER
  const filter = { reader: identity.member, with: other?.id, project, q: query.q, before, limit: query.limit }
  const { found, more } = await hub.reader.ask('history', filter, identity.tokenId)
  const all = found.map(sent => withReceipts(hub, sent))
  const messages = firstOf(all)
  return { messages, more: more || messages.length < all.length, ...(hub.damage && { damaged: true }) }
}

function withReceipts(hub: Hub, sent: Sent): MessageWithReceipts {
  const gather = gatherOf(hub, sent)
  return { message: sent.message, receipts: toReceipts(hub, sent.deliveries), ...(gather && { gather }) }
}

function toReceipts(hub: Hub, deliveries: DeliveryState[]): Receipt[] {
  return deliveries.map(({ member, ...receipt }) => ({
    ...receipt,
    ...reachOf(hub, member, receipt.kind),
    ...projectReachOf(hub, member, receipt.project),
  }))
}
