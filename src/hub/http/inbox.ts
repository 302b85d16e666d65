import { ClaudeNetError } from '../../protocol/errors.ts'
import { type Cursor, formatCursor, parseCursor } from '../../protocol/events.ts'
import { oldKind, readsAllKinds } from '../../protocol/kinds.ts'
import type { SenderKind } from '../../protocol/messages.ts'
import { maxListedProjects, type ProjectScope } from '../../protocol/projects.ts'
import {
  heldCountAfter,
  notYetTold,
  unreadAfter,
  unreadAround,
  unreadCount,
  unreadCountAfter,
} from '../state/query/inbox.ts'
import { markOvertaken } from '../state/query/overtaken.ts'
import { unreadElsewhere } from '../state/query/projects.ts'
import { unlessUnreadable } from '../state/query/read-around-damage.ts'
import type { State } from '../state/state.ts'
import type { Database } from '../state/store/database.ts'
import type { Handlers } from './handler.ts'

/** `GET /v1/inbox`. */
export const readInbox: Handlers['readInbox'] = call => {
  const { hub, query } = call
  if (query.after === undefined) return pageAfter(call, 0)
  const { after } = query
  if (!hub.level) return pageAfter(call, seqAfter(hub.state, after))
  return hub.reached(placeIn(hub.state, after)).then(() => pageAfter(call, seqAfter(hub.state, after)))
}

function pageAfter({ hub, identity, query, request }: Parameters<Handlers['readInbox']>[0], after: number) {
  const you = identity.name
  const page = unlessUnreadable(() => wholePage(hub.state, identity.member, after, query))
  const isOld = !readsAllKinds(request.headers)
  if (!page) {
    const around = pageAround(hub.state, identity.member, after, query)
    return { you, ...around, messages: isOld ? withOldKinds(around.messages) : around.messages }
  }
  for (const { id, damaged } of page.messages)
    if (damaged) request.log.error({ id }, 'the disk has damaged this message')
  const elsewhere = elsewhereOf(hub.state.db, identity.member, query.project)
  const messages = isOld ? withOldKinds(page.messages) : page.messages
  return { you, ...page, messages, ...(elsewhere.length > 0 && { elsewhere }) }
}

type Page = Pick<Parameters<Handlers['readInbox']>[0]['query'], 'limit' | 'preview' | 'project'>

function wholePage({ db, position }: State, member: number, after: number, { limit, preview, project: scope }: Page) {
  const unread = unreadCount(db, member, scope)
  const messages = unread === 0 ? [] : unreadAfter(db, member, after, limit, { preview, scope })
  const lastSeq = messages.at(-1)?.seq ?? after
  const isAll = unread === 0 || (after === 0 && messages.length === unread)
  const more = isAll ? 0 : unreadCountAfter(db, member, lastSeq, scope)
  const moreHeld = more > 0 ? heldCountAfter(db, member, lastSeq, scope) : 0
  return {
    messages: markOvertaken(db, member, messages, { lastSeq, follows: more > 0, scope }),
    unread,
    more,
    ...(moreHeld > 0 && { moreHeld }),
    cursor: formatCursor({ epoch: position.epoch, seq: lastSeq }),
  }
}

/** Returns a page of a damaged store without the messages that cannot be read. `more` is at least 1 until the end is reached. */
function pageAround({ db, position }: State, member: number, after: number, { limit, preview, project: scope }: Page) {
  const { messages, upTo, isEnd } = unreadAround(db, member, after, limit, { preview, scope })
  const unread = unreadCount(db, member, scope)
  const more = isEnd ? 0 : Math.max(1, unread - messages.length)
  return { messages, unread, more, cursor: formatCursor({ epoch: position.epoch, seq: upTo }) }
}

/** `POST /v1/inbox/fetched`. */
export const markFetched: Handlers['markFetched'] = ({ hub, identity, body }) =>
  hub.submit({
    type: 'inbox.fetched',
    by: identity.member,
    ids: unique(body.ids),
    session: body.session,
    ...scopeIn(body),
  })

/** `POST /v1/inbox/told`. Submits nothing for ids that are already recorded as told. */
export const markTold: Handlers['markTold'] = ({ hub, identity, body }) => {
  const { session, how } = body
  const ids = notYetTold(hub.state.db, identity.member, unique(body.ids), how)
  return ids.length === 0 ? { told: 0 } : hub.submit({ type: 'inbox.told', by: identity.member, ids, session, how })
}

/** `POST /v1/inbox/ack`. */
export const ackInbox: Handlers['ackInbox'] = ({ hub, identity, body }) =>
  hub.submit({ type: 'inbox.ack', by: identity.member, ids: unique(body.ids), ...scopeIn(body) })

/** Returns the messages in the form for clients that know only machines and humans. */
export function withOldKinds<M extends { fromKind: SenderKind }>(messages: M[]): M[] {
  return messages.map(message => ({ ...message, fromKind: oldKind(message.fromKind) }))
}

function scopeIn({ project }: { project?: ProjectScope }): { project?: ProjectScope } {
  return project === undefined ? {} : { project }
}

function elsewhereOf(db: Database, member: number, scope: ProjectScope | undefined) {
  return scope === undefined
    ? []
    : (unlessUnreadable(() => unreadElsewhere(db, member, scope, maxListedProjects)) ?? [])
}

const bareSeq = /^(0|[1-9][0-9]{0,14})$/

/** Parses `epoch:seq`, or a bare seq of this history. */
function placeIn({ position }: State, after: string): Cursor {
  if (bareSeq.test(after)) return { epoch: position.epoch, seq: Number(after) }
  const cursor = parseCursor(after)
  if (!cursor) {
    throw new ClaudeNetError(
      'invalid',
      `after=${after} is not a position in an inbox.`,
      "Use the 'cursor' of the previous page.",
    )
  }
  return cursor
}

/** Returns the seq after which a page starts: 0 for a position of another history or beyond the newest, so that nothing is skipped. */
function seqAfter(state: State, after: string): number {
  const place = placeIn(state, after)
  if (bareSeq.test(after)) return place.seq <= state.position.seq ? place.seq : 0
  return state.seqOf(place) ?? 0
}

function unique(ids: string[]): string[] {
  return [...new Set(ids)]
}
