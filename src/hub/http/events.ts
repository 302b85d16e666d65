import { ClaudeNetError } from '../../protocol/errors.ts'
import {
  type Cursor,
  commentIntervalMs,
  deliveryCharacters,
  parseCursor,
  type StreamEvent,
} from '../../protocol/events.ts'
import { readsAllKinds } from '../../protocol/kinds.ts'
import { unreadAfter, unreadCount } from '../state/query/inbox.ts'
import { unlessUnreadable } from '../state/query/read-around-damage.ts'
import type { Call, Handlers } from './handler.ts'
import { withOldKinds } from './inbox.ts'
import type { Limits } from './limits.ts'
import { headersOfLevel } from './min-seq.ts'
import type { PresenceNews } from './presence-news.ts'
import type { Sight } from './sight.ts'
import { eventText, type Meter, SseStream } from './sse.ts'
import { TrafficEvents } from './traffic.ts'

/**
 * `GET /v1/events`: one loop over the hub's `follow`, or over the traffic, until the reader, its session, its token or the server ends, or
 * the hub is cut off from its log.
 */
export function eventStreams(
  serverClosing: AbortSignal,
  {
    limits,
    presence,
    meter,
    drainTimeoutMs,
    sight,
  }: { limits: Limits; presence: PresenceNews; meter: Meter; drainTimeoutMs: number; sight: Sight },
): Handlers['events'] {
  return async call => {
    const { hub, identity, query, request, reply } = call
    const scope = query.project
    if (identity.member === 0 && query.with !== 'traffic') throw noInbox()
    const from = resumeFrom(request.headers['last-event-id'])
    if (from) await hub.reached(from)
    const closed = limits.openStream(identity)
    reply.hijack()
    const end = new AbortController()
    const { signal } = end
    reply.raw.on('close', () => end.abort())
    serverClosing.addEventListener('abort', () => end.abort(), { once: true, signal })
    if (serverClosing.aborted) end.abort()
    const release = endWithSessionOrToken(call, end)

    for (const [name, value] of headersOfLevel(hub)) reply.raw.setHeader(name, value)
    const stream = new SseStream(reply.raw, { signal, drainTimeoutMs, ...meter(request.raw.socket) })
    let position: string | undefined
    const comments = setInterval(() => {
      if (position === undefined) stream.comment('still here')
      else stream.writeIfRead(Buffer.from(eventText('position', {}, position)))
      position = undefined
    }, commentIntervalMs)
    const endPresence = presence.read(events => stream.writeIfRead(events))
    let isLive = false
    const onReady = (cursor: string) => {
      isLive = true
      void stream.send('ready', { unread: unreadCount(hub.state.db, identity.member, scope) }, cursor)
    }
    try {
      if (query.with === 'traffic') {
        for await (const at of sendTraffic(call, { stream, sight, from, signal })) position = at
        return undefined
      }
      for await (const { event, data, cursor } of hub.follow(identity.member, from, signal, { onReady, scope })) {
        const isAsked = event === 'inbox' && isLive && query.with === 'delivery'
        await stream.send(event, isAsked ? withDelivery(call, data) : data, cursor)
      }
    } finally {
      endPresence()
      clearInterval(comments)
      release()
      closed()
      stream.end()
    }
    return undefined
  }
}

/**
 * Sends the traffic as far as the reader may see it. Yields the cursor of each page of which nothing was sent to the reader, and undefined
 * once the reader has received a newer one.
 */
async function* sendTraffic(
  { hub, identity, request }: Call<StreamRoute>,
  { stream, sight, from, signal }: { stream: SseStream; sight: Sight; from: Cursor | undefined; signal: AbortSignal },
): AsyncGenerator<string | undefined> {
  sight.looks({ identity, address: request.clientAddress }, null, 'live')
  const events = new TrafficEvents(hub, identity, sight.viewerOf(identity), () => sight.readsTexts(identity))
  const unread = identity.member === 0 ? 0 : unreadCount(hub.state.db, identity.member)
  let isReady = false
  for await (const { items, cursor, isEnd, isGap } of hub.traffic.follow(from, signal)) {
    const text = isGap ? eventText('reset', {}, cursor) : events.textOf(items, cursor)
    if (text !== '') await stream.sendText(text)
    yield text === '' ? cursor : undefined
    if (isReady || !isEnd) continue
    isReady = true
    await stream.send('ready', { unread }, cursor)
  }
}

function noInbox(): ClaudeNetError {
  return new ClaudeNetError(
    'forbidden',
    'An admin has no inbox to follow.',
    'with=traffic follows the messages between all members, without texts.',
  )
}

/** Returns the event with the message itself, if that is still unread and can be read. */
function withDelivery({ hub, identity, request }: Call<StreamRoute>, data: InboxEvent): InboxEvent {
  const { db } = hub.state
  const page = { preview: deliveryCharacters }
  const [next] = unlessUnreadable(() => unreadAfter(db, identity.member, data.seq - 1, 1, page)) ?? []
  if (next?.seq !== data.seq) return data
  const [delivery] = readsAllKinds(request.headers) ? [next] : withOldKinds([next])
  return { ...data, delivery }
}

/** Parses Last-Event-ID; undefined without it, so that the stream starts with all unread messages. Throws `invalid` if it is not a cursor. */
function resumeFrom(header: string | string[] | undefined): Cursor | undefined {
  if (header === undefined || header === '') return undefined
  const cursor = typeof header === 'string' ? parseCursor(header) : undefined
  if (cursor) return cursor
  throw new ClaudeNetError(
    'invalid',
    'Last-Event-ID is not a cursor.',
    'Send the id of the last event unchanged, or leave it out.',
  )
}

/** Aborts `end` when the session for which the stream was opened ends, its token is revoked, or the hub is cut off. Returns a function that stops watching. */
function endWithSessionOrToken({ hub, identity, query }: Call<StreamRoute>, end: AbortController): () => void {
  const onGone = (member: number, session: string) => {
    if (member === identity.member && session === query.session) end.abort()
  }
  hub.presence.on('gone', onGone)
  // A hub that is cut off does not receive what others write.
  const stopCutOff = hub.level?.onCutOff(() => end.abort())
  const stopRevoked = hub.onRevoked(tokenId => {
    if (tokenId === identity.tokenId) end.abort()
  })
  return () => {
    hub.presence.off('gone', onGone)
    stopRevoked()
    stopCutOff?.()
  }
}

type InboxEvent = Extract<StreamEvent, { event: 'inbox' }>['data']

type StreamRoute = typeof import('../../protocol/api.ts').api['events']
