import { ClaudeNetError } from '../../protocol/errors.ts'
import { newMessageId } from '../../protocol/ids.ts'
import { readsAllKinds } from '../../protocol/kinds.ts'
import {
  keptHeader,
  type MessageWithReceipts,
  maxBodyBytes,
  type Receipt,
  type SendRequest,
  tooLarge,
} from '../../protocol/messages.ts'
import { everyone, lookupForm } from '../../protocol/names.ts'
import { type Address, addressOf } from '../../protocol/projects.ts'
import type { Identity } from '../auth/identify.ts'
import type { Hub } from '../hub.ts'
import { groupExists, memberMeant, senderMeant } from '../state/query/find-member.ts'
import { firstOf } from '../state/query/inbox.ts'
import { laterDueAt } from '../state/query/later.ts'
import { machinesByOwner } from '../state/query/members.ts'
import type { DeliveryState, Sent } from '../state/query/messages.ts'
import { ownedBy } from '../state/query/viewer.ts'
import { refused, storedReasonInWords } from '../state/refusal-words.ts'
import { refuseUnknown } from '../state/refusals.ts'
import { timestamp } from '../state/timestamp.ts'
import { gatherOf } from './gather.ts'
import type { Handlers } from './handler.ts'
import { withOldKinds } from './inbox.ts'
import { projectReachOf, reachOf } from './presence.ts'
import { membersNamed, type Sight } from './sight.ts'

/** Most machines of a person in the response to a message to that person. */
const maxNamed = 5

/** `POST /v1/messages`: 201 when stored, 200 when this id was stored before. */
export const sendMessage: Handlers['sendMessage'] = async ({ hub, identity, body, request, reply }) => {
  const bytes = Buffer.byteLength(body.body)
  if (bytes > maxBodyBytes) throw tooLarge(bytes)
  const answersFor = body.answersFor === undefined ? undefined : ownedMachine(hub, identity, body)
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
    ...(answersFor !== undefined && { answersFor }),
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

/** Returns the machine on behalf of which its owner answers. */
function ownedMachine({ state: { db } }: Hub, { member }: Identity, { replyTo, answersFor }: SendRequest): number {
  if (replyTo === undefined)
    throw new ClaudeNetError(
      'invalid',
      'body.answersFor: it requires replyTo, the message that is answered on behalf of the machine.',
      'Name the message in replyTo, or leave out answersFor.',
    )
  const machine = memberMeant(db, answersFor!)
  if (!machine) throw refused(db, refuseUnknown(answersFor!).refusal)
  if (ownedBy(db, member).includes(machine.id)) return machine.id
  throw new ClaudeNetError(
    'forbidden',
    `${machine.name} is not a machine of yours, so you cannot answer on its behalf. Nothing was sent.`,
    'Its owner can; GET /v1/machines names the owner.',
  )
}

/** `GET /v1/messages/:id`: throws the same `not_found` for a message that does not exist and for one between others. */
export const getMessage: (sight: Sight) => Handlers['getMessage'] = sight => async call => {
  const { hub, identity, params, request } = call
  const found = await hub.reader.ask('message', { viewer: sight.viewerOf(identity), id: params.id }, identity.tokenId)
  if (!found) {
    if (hub.damage) throw hub.damage
    const dueAt = laterDueAt(hub.state.db, identity.member, params.id)
    if (dueAt !== undefined) throw waitsForLater(params.id, dueAt)
    throw new ClaudeNetError(
      'not_found',
      identity.member === 0
        ? `There is no message ${params.id}.`
        : `You have neither sent nor received a message ${params.id}.`,
      'Check the id: claude_net_send returned it, and your inbox shows it.',
    )
  }
  sight.looks({ identity, address: request.clientAddress }, found.message.from, params.id)
  return withReceipts(hub, found, readsAllKinds(request.headers))
}

function waitsForLater(id: string, dueAt: number): ClaudeNetError {
  return new ClaudeNetError(
    'not_found',
    `Message ${id} is a scheduled message, and in no inbox before ${timestamp(dueAt)}.`,
    'claude-net later shows it.',
  )
}

/**
 * `GET /v1/messages`: the messages that the caller, or the members named in `of`, sent or received, with the receipts that the caller may
 * see. Texts are searched only for callers who may read them, so that neither a result nor its timing reveals texts of others.
 */
export const listMessages: (sight: Sight) => Handlers['listMessages'] =
  sight =>
  async ({ hub, identity, query, request }) => {
    const { db } = hub.state
    const isAdmin = identity.member === 0
    const of = membersNamed(hub, query.of) ?? (isAdmin ? undefined : [identity.member])
    const { name, project }: Partial<Address> = query.with === undefined ? {} : addressOf(query.with)
    const other = name === undefined ? undefined : senderMeant(db, name)
    const crowd = name !== undefined && !other && project === undefined ? lookupForm(name) : undefined
    if (query.with !== undefined && !other && crowd === undefined) throw refused(db, refuseUnknown(query.with).refusal)
    if (query.q !== undefined && !sight.readsTexts(identity)) throw noSearch()
    if (project !== undefined && of === undefined)
      throw new ClaudeNetError(
        'invalid',
        'query.with: a project requires of=NAME.',
        'Add of=NAME, the member whose messages you mean.',
      )
    const { q, limit, before = Number.MAX_SAFE_INTEGER } = query
    const filter = { viewer: sight.viewerOf(identity), of, with: other?.id, crowd, project, q, before, limit }
    const { found, more } = await hub.reader.ask('history', filter, identity.tokenId)
    // Messages to a group can still be found after the group was deleted.
    if (crowd !== undefined && found.length === 0 && crowd !== everyone && !groupExists(db, crowd))
      throw refused(db, refuseUnknown(query.with!).refusal)
    const readsAll = readsAllKinds(request.headers)
    const all = found.map(sent => withReceipts(hub, sent, readsAll))
    const messages = firstOf(all)
    if (messages.length > 0) {
      const named = [query.of].flat().join(',') || name || null
      sight.looks(
        { identity, address: request.clientAddress },
        named,
        `${messages.length} messages${q === undefined ? '' : ', searched'}`,
      )
    }
    return { messages, more: more || messages.length < all.length, ...(hub.damage && { damaged: true }) }
  }

function noSearch(): ClaudeNetError {
  return new ClaudeNetError(
    'forbidden',
    'An admin of this hub may not read texts, and so cannot search them.',
    'Leave out q, or set "console": {"adminReads": true} in hub.json. Each search is then recorded in the audit.',
  )
}

function withReceipts(hub: Hub, sent: Sent, readsAll: boolean): MessageWithReceipts {
  const gather = gatherOf(hub, sent)
  const [message] = readsAll ? [sent.message] : withOldKinds([sent.message])
  return { message: message!, receipts: toReceipts(hub, sent.deliveries), ...(gather && { gather }) }
}

function toReceipts(hub: Hub, deliveries: DeliveryState[]): Receipt[] {
  return deliveries.map(({ member, ...receipt }) => ({
    ...receipt,
    ...reachOf(hub, member, receipt.kind),
    ...projectReachOf(hub, member, receipt.project),
  }))
}
