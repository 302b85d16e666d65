import * as z from 'zod'
import { MessageId } from './ids.ts'
import { InboxMessage, Intent, SenderKind, Timestamp } from './messages.ts'
import { ProjectName } from './projects.ts'

/** Most characters of a text that come with its event. */
export const deliveryCharacters = 1000

/**
 * What `GET /v1/events` says, as server-sent events. `inbox` and `receipt` carry `id: epoch:seq` and are resumed by
 * `Last-Event-ID`; where several events share a seq only the last of them has the id, so that none is skipped.
 * `ready` comes once, with an id, when all that waited at the beginning has been told: whoever heard nothing else resumes there.
 */
export const InboxEvent = z.object({
  seq: z.number().int(),
  id: MessageId,
  from: z.string(),
  intent: Intent,
  /** For which project of the reader it is. */
  project: ProjectName.optional(),
  /** With `?project=`, of what is in its scope. */
  unread: z.number().int(),
  /**
   * With `?with=delivery`, as `GET /v1/inbox` has it, cut after `deliveryCharacters`. Missing before `ready`, so that a stream which is opened
   * on a full inbox costs no more than without, and where the message is not unread any more.
   */
  delivery: InboxMessage.optional(),
})
/** What became of a delivery of a message that the reader sent. */
export const ReceiptEvent = z.object({
  seq: z.number().int(),
  id: MessageId,
  recipient: z.string(),
  status: z.enum(['fetched', 'acked', 'expired']),
  at: Timestamp,
  /** Of an order that expired: the hub tells its sender of it in a message as well. */
  noticed: z.literal(true).optional(),
})
/** A member came online or went offline. Has no place in the history. */
export const PresenceEvent = z.object({ name: z.string(), online: z.boolean(), lastSeenAt: Timestamp.nullable() })

/** Many members came online or went offline together. `more` changed too and are not listed: `GET /v1/machines` has all. */
export const PresencesEvent = z.object({ members: z.array(PresenceEvent), more: z.number().int() })

/** With `?with=traffic`: a message was stored that the reader may see. */
export const TrafficEvent = z.object({
  seq: z.number().int(),
  id: MessageId,
  /** Whose mail it is, of those whose mail the reader may see: its sender and the recipients who took it, a hundred at most. */
  of: z.array(z.string()),
  from: z.string(),
  fromKind: SenderKind,
  /** As its sender wrote it. */
  to: z.array(z.string()),
  intent: Intent,
  bytes: z.number().int(),
  replyTo: MessageId.optional(),
  sentAt: Timestamp,
  /** The first characters of its text, where that is the reader's to read. */
  beginning: z.string().optional(),
})
export type TrafficEvent = z.infer<typeof TrafficEvent>

/** With `?with=traffic`: what became of a delivery of a message that the reader may see. Of several steps of one moment only the last. */
export const ChangeEvent = z.object({
  seq: z.number().int(),
  id: MessageId,
  recipient: z.string(),
  status: z.enum(['told', 'fetched', 'acked', 'expired']),
  at: Timestamp,
})
export type ChangeEvent = z.infer<typeof ChangeEvent>

/**
 * All that a stream with `?with=traffic` tells: what passes, in the order of the journal, instead of `inbox` and `receipt`. `members` says that
 * members, owners, names, groups, policies or brakes have changed, `reset` that more has happened than the hub still knows, so that
 * whatever is shown is to be read anew, and `position` only brings a cursor. After a resume an event may come again.
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

/** What a stream tells, besides `ready`; a client reads `presences` as so many `presence`. */
export type StreamEvent =
  | { event: 'inbox'; data: z.infer<typeof InboxEvent> }
  | { event: 'receipt'; data: z.infer<typeof ReceiptEvent> }
  | { event: 'presence'; data: z.infer<typeof PresenceEvent> }

export const eventSchemas = { inbox: InboxEvent, receipt: ReceiptEvent, presence: PresenceEvent } as const

/** All that waited has been told; its id is the cursor from which to go on. */
export const ReadyEvent = z.object({ unread: z.number().int() })

/** How often a comment is written to a stream on which nothing else happens, in ms, so that both ends notice a dead line. */
export const commentIntervalMs = 15_000

/** A place in an inbox's history: `epoch:seq`. The epoch changes when the hub's data was restored from a backup. */
export interface Cursor {
  epoch: string
  seq: number
}

/** As it stands in an event's `id` and in `Last-Event-ID`. */
export function formatCursor({ epoch, seq }: Cursor): string {
  return `${epoch}:${seq}`
}

/** Reads `epoch:seq`. `undefined` for anything else. */
export function parseCursor(text: string): Cursor | undefined {
  const match = /^([0-9a-z]{1,32}):(0|[1-9][0-9]{0,15})$/.exec(text)
  if (!match) return undefined
  const seq = Number(match[2])
  return Number.isSafeInteger(seq) ? { epoch: match[1]!, seq } : undefined
}
