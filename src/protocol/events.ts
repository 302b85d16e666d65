import * as z from 'zod'
import { MessageId } from './ids.ts'
import { InboxMessage, Intent, SenderKind, Timestamp } from './messages.ts'
import { ProjectName } from './projects.ts'

/** Maximum number of characters of a text that an event carries. */
export const deliveryCharacters = 1000

/**
 * The server-sent events of `GET /v1/events`. `inbox` and `receipt` carry `id: epoch:seq` and are resumed by `Last-Event-ID`; if
 * several events share a seq, only the last of them has the id, so that none is skipped. `ready` is sent once, with an id, after the
 * backlog: a reader that received no other event resumes there.
 */
export const InboxEvent = z.object({
  seq: z.number().int(),
  id: MessageId,
  from: z.string(),
  intent: Intent,
  /** The reader's project to which it is addressed. */
  project: ProjectName.optional(),
  /** With `?project=`, the unread messages in its scope. */
  unread: z.number().int(),
  /**
   * With `?with=delivery`, as in `GET /v1/inbox`, truncated to `deliveryCharacters`. Absent before `ready`, so that opening a stream on a
   * full inbox costs no more than without, and if the message is no longer unread.
   */
  delivery: InboxMessage.optional(),
})

/** A new status of a delivery of a message that the reader sent. */
const ReceiptEvent = z.object({
  seq: z.number().int(),
  id: MessageId,
  recipient: z.string(),
  status: z.enum(['fetched', 'acked', 'expired']),
  at: Timestamp,
  /** Set if a `request` or `urgent` expired: the hub also notifies its sender by a message. */
  noticed: z.literal(true).optional(),
})

/** A member came online or went offline. Not part of the journal. */
export const PresenceEvent = z.object({ name: z.string(), online: z.boolean(), lastSeenAt: Timestamp.nullable() })

/** Many members came online or went offline together. `more` others are not listed: `GET /v1/machines` returns all. */
export const PresencesEvent = z.object({ members: z.array(PresenceEvent), more: z.number().int() })

/** With `?with=traffic`: a message that the reader may see was stored. */
export const TrafficEvent = z.object({
  seq: z.number().int(),
  id: MessageId,
  /** Its sender and the recipients who accepted it, as far as the reader may see their messages; 100 at most. */
  of: z.array(z.string()),
  from: z.string(),
  fromKind: SenderKind,
  /** As the sender wrote it. */
  to: z.array(z.string()),
  intent: Intent,
  bytes: z.number().int(),
  replyTo: MessageId.optional(),
  sentAt: Timestamp,
  /** The first characters of its text, if the reader may read it. */
  beginning: z.string().optional(),
})
export type TrafficEvent = z.infer<typeof TrafficEvent>

/** With `?with=traffic`: a new status of a delivery of a message that the reader may see. Of simultaneous steps only the last is sent. */
export const ChangeEvent = z.object({
  seq: z.number().int(),
  id: MessageId,
  recipient: z.string(),
  status: z.enum(['told', 'fetched', 'acked', 'expired']),
  at: Timestamp,
})
export type ChangeEvent = z.infer<typeof ChangeEvent>

/**
 * The events of a stream with `?with=traffic`, in the order of the journal, in place of `inbox` and `receipt`. `members` means that members,
 * owners, names, groups, policies or brakes have changed, `reset` that more has happened than the hub still buffers, so that the reader
 * must reload everything it shows, and `position` only carries a cursor. After a resume an event may be repeated.
 */
export const trafficSchemas = {
  traffic: TrafficEvent,
  change: ChangeEvent,
  members: z.object({}),
  reset: z.object({}),
  position: z.object({}),
  presence: PresenceEvent,
  presences: PresencesEvent,
} as const

/** The events of a stream except `ready`; a client expands `presences` into `presence` events. */
export type StreamEvent =
  | { event: 'inbox'; data: z.infer<typeof InboxEvent> }
  | { event: 'receipt'; data: z.infer<typeof ReceiptEvent> }
  | { event: 'presence'; data: z.infer<typeof PresenceEvent> }

export const eventSchemas = { inbox: InboxEvent, receipt: ReceiptEvent, presence: PresenceEvent } as const

/** The backlog has been sent; the id of this event is the cursor from which to continue. */
export const ReadyEvent = z.object({ unread: z.number().int() })

/** Interval between comments on an idle stream, in ms, so that both ends detect a broken connection. */
export const commentIntervalMs = 15_000

/** A position in an inbox's history: `epoch:seq`. Each start of a hub and each restore begins an epoch. */
export interface Cursor {
  epoch: string
  seq: number
}

/** Returns a cursor in the form of an event's `id` and of `Last-Event-ID`. */
export function formatCursor({ epoch, seq }: Cursor): string {
  return `${epoch}:${seq}`
}

/** Parses `epoch:seq`. Returns undefined for anything else. */
export function parseCursor(text: string): Cursor | undefined {
  const match = /^([0-9a-z]{1,32}):(0|[1-9][0-9]{0,15})$/.exec(text)
  if (!match) return undefined
  const seq = Number(match[2])
  return Number.isSafeInteger(seq) ? { epoch: match[1]!, seq } : undefined
}
