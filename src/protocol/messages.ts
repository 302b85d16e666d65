import * as z from 'zod'
import { ClaudeNetError } from './errors.ts'
import { MessageId } from './ids.ts'
import { addressOf, ProjectName, ProjectScope } from './projects.ts'

/** Maximum length of a message's text, in bytes of UTF-8. */
export const maxBodyBytes = 32 * 1024

/** Returns the refusal of a text of `bytes` bytes. */
export function tooLarge(bytes: number): ClaudeNetError {
  return new ClaudeNetError(
    'too_large',
    `The message has ${bytes} bytes; ${maxBodyBytes} is the most.`,
    'Send the gist, and say where the rest is.',
  )
}

/** A header of `POST /v1/messages`, with any value: the message waited in an outbox because no hub responded. */
export const keptHeader = 'claude-net-kept'

/** Maximum number of names in one send. A group or `all` counts as one. */
const maxNames = 100

/** Maximum number of messages, ids or rows in one request or response; also the default of every `limit`. */
export const maxPage = 100

/** `request` expects an answer, `inform` does not, `urgent` should be read immediately. The recipient decides what an intent may interrupt. */
export const Intent = z.enum(['request', 'inform', 'urgent'])
export type Intent = z.infer<typeof Intent>

/** Kinds of members that join with a token and have an inbox. */
export const JoinableKind = z.enum(['machine', 'human'])
export type JoinableKind = z.infer<typeof JoinableKind>

/** A `service` represents events from outside: it sends what a webhook received, and cannot receive messages. */
export const MemberKind = z.enum([...JoinableKind.options, 'service'])
export type MemberKind = z.infer<typeof MemberKind>

/** Kinds of senders: a member, or the hub itself with a notice. */
export const SenderKind = z.enum([...MemberKind.options, 'hub'])
export type SenderKind = z.infer<typeof SenderKind>

/** RFC 3339 in UTC with milliseconds: `2026-11-22T15:00:00.000Z`. */
export const Timestamp = z.iso.datetime({ precision: 3 })

/** A text that is well-formed Unicode: UTF-8 cannot encode a lone surrogate. */
const WellFormed = z
  .string()
  .refine(text => text.isWellFormed(), 'must be well-formed Unicode (a lone surrogate was found)')

/** Maximum time until a message expires, in seconds: a year. */
export const maxExpiryS = 31_536_000

/** Maximum and default time for which a question to several gathers answers, in seconds; the maximum is a week. */
export const maxWithinS = 604_800
export const defaultWithinS = 600

/** Reports whether a text has only white space and invisible characters. Control characters do not count: they are shown as escapes. */
export function isBlank(text: string): boolean {
  return !/[^\s\p{Default_Ignorable_Code_Point}\u2800]/u.test(text)
}

/** Maximum length of a typed name, in characters. */
const maxTyped = 100

/** A name, or `name/project`. */
const TypedAddress = z
  .string()
  .trim()
  .min(1, 'a name must not be empty')
  .max(2 * maxTyped + 1, `an address has ${2 * maxTyped + 1} characters at most`)
  .refine(
    typed => typed.split('/').every(part => part.length <= maxTyped),
    `a name or a project has ${maxTyped} characters at most`,
  )

export const SendRequest = z.strictObject({
  id: MessageId.optional(),
  to: z.union([TypedAddress, z.array(TypedAddress).min(1, 'it names nobody').max(maxNames)], {
    error: `must be a name or a list of at most ${maxNames} names`,
  }),
  body: WellFormed.refine(text => !isBlank(text), 'a message needs a text'),
  replyTo: MessageId.optional(),
  intent: Intent.optional(),
  /** Counted from storage in the inbox; for a scheduled message from `at`. */
  expiresInS: z.number().int().min(1).max(maxExpiryS).optional(),
  /** For a `request` or `urgent` to several: time during which answers do not wake its sender. See `Gather`. */
  withinS: z.number().int().min(1).max(maxWithinS).optional(),
  /** For a scheduled message: the hub stores it now and delivers it at this time. Any offset, millisecond precision. */
  at: z.iso.datetime({ offset: true }).optional(),
  /** The project of the sending session: its own claim, and not part of the content that the id binds. */
  fromProject: ProjectScope.optional(),
  /** A machine on whose behalf the sender, its owner, answers `replyTo`. */
  answersFor: z.string().trim().min(1).max(maxTyped).optional(),
})
export type SendRequest = z.infer<typeof SendRequest>

const plainId = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const plainAddress = /^[a-z0-9][a-z0-9-]{0,62}(?:\/[a-z0-9][a-z0-9-]{0,62})?$/
const plainProject = /^(?:[a-z0-9]|[a-z0-9][a-z0-9-]{0,61}[a-z0-9])?$/

/** Reports whether a value is a common form of send, which `SendRequest` accepts unchanged. False does not mean that it is invalid. */
export function isUsualSend(value: unknown): value is SendRequest {
  if (typeof value !== 'object' || value === null) return false
  const { id, to, body, replyTo, intent, fromProject, ...others } = value as Record<string, unknown>
  return (
    Object.keys(others).length === 0 &&
    (id === undefined || isText(id, plainId)) &&
    isText(to, plainAddress) &&
    typeof body === 'string' &&
    body.isWellFormed() &&
    !isBlank(body) &&
    (replyTo === undefined || isText(replyTo, plainId)) &&
    (intent === undefined || Intent.options.includes(intent as Intent)) &&
    (fromProject === undefined || isText(fromProject, plainProject))
  )
}

function isText(value: unknown, pattern: RegExp): boolean {
  return typeof value === 'string' && pattern.test(value)
}

/** Ways in which a member can be reached. Older hubs omit `telegram` and `machines`. */
const reach = {
  online: z.boolean(),
  lastSeenAt: Timestamp.nullable(),
  /** For a human: whether the hub forwards their messages to Telegram. */
  telegram: z.boolean().optional(),
  /** For a human, in the response to a send: the first five machines that they own, by name. */
  machines: z.array(z.string()).optional(),
}

const Reach = z.object(reach)
export type Reach = z.infer<typeof Reach>

/** Returns a message's recipients (a group, `all`, several), or undefined if it went only to the reader, or a project of theirs, by their own name. */
export function sentToOthers({ to }: { to: readonly string[] }, you: string | undefined): string | undefined {
  const isOwn = to.length === 1 && (you === undefined ? to[0] !== 'all' : addressOf(to[0]!).name === you)
  return isOwn || to.length === 0 ? undefined : to.join(', ')
}

/** Presence of the project that a message is for, as claimed by the sessions of its machine. */
const projectReach = {
  project: ProjectName.optional(),
  /** With `project`: number of running sessions of it. */
  projectSessions: z.number().int().optional(),
  /** With `project`: time of the last heartbeat of one of its sessions; null if there was none. */
  projectLastSeenAt: Timestamp.nullable().optional(),
  /** With `project`: number of all running sessions of the member. */
  sessions: z.number().int().optional(),
}

const ProjectReach = z.object(projectReach)
export type ProjectReach = z.infer<typeof ProjectReach>

/** The result of a send for one recipient. `online` and `lastSeenAt` are as of the response. */
export const SentTo = z.object({
  name: z.string(),
  kind: MemberKind,
  /** `later`: to be stored there at the response's `at`, when recipients and policies are determined again. */
  status: z.enum(['stored', 'refused', 'later']),
  reason: z.string().optional(),
  ...reach,
  ...projectReach,
})
export type SentTo = z.infer<typeof SentTo>

/** For a scheduled message that waits, `seq` and `sentAt` are those of its storage; it gets new ones on delivery. */
export const SendAnswer = z.object({
  id: MessageId,
  seq: z.number().int(),
  sentAt: Timestamp,
  /** Time at which it is to be delivered. Absent once it has been. */
  at: Timestamp.optional(),
  recipients: z.array(SentTo),
})
export type SendAnswer = z.infer<typeof SendAnswer>

/** A message as its recipient reads it. `to` is as the sender wrote it; `fetchedBy` is the session that fetched it last. */
export const InboxMessage = z.object({
  id: MessageId,
  seq: z.number().int(),
  from: z.string(),
  fromKind: SenderKind,
  to: z.array(z.string()),
  sentAt: Timestamp,
  replyTo: MessageId.optional(),
  intent: Intent,
  expiresAt: Timestamp.optional(),
  /** For a scheduled message: the time its sender wrote it. `sentAt` is the time of delivery. */
  writtenAt: Timestamp.optional(),
  body: z.string(),
  /** Set if the recipient's policy reserves it for its user: a client must not show the text to an agent. */
  held: z.literal(true).optional(),
  /** Set if it is damaged on the hub's disk: `body` says so instead of the text, and `to` is empty. */
  damaged: z.literal(true).optional(),
  /** Set if the recipient has muted the sender: nobody is to be notified. */
  muted: z.literal(true).optional(),
  fetchedBy: z.object({ session: z.string(), at: Timestamp }).optional(),
  /** In an inbox: number of newer unread messages of the same sender among the next 1,000. Absent if there are none. */
  newer: z.number().int().optional(),
  /** Time at which the hub deleted the text, so that `body` is empty. Only for messages that are over, so never in an inbox. */
  textDeletedAt: Timestamp.optional(),
  /** The reader's project to which it is addressed. */
  project: ProjectName.optional(),
  /** The sender's project, as claimed by its machine. */
  fromProject: ProjectName.optional(),
  /** The human who answered this on behalf of the recipient, their machine. */
  answeredBy: z.string().optional(),
})
export type InboxMessage = z.infer<typeof InboxMessage>

/**
 * Unread messages, oldest first. `unread` counts all of them, `more` those after the last one here; with `?project=` both count the
 * messages in its scope. `cursor` is the start of the next page (`?after=`).
 */
export const InboxAnswer = z.object({
  /** The reader, so that a client can point out messages sent to another name, such as a group. Absent from older hubs. */
  you: z.string().optional(),
  messages: z.array(InboxMessage),
  unread: z.number().int(),
  more: z.number().int(),
  /** Number of held messages among `more`. Absent if there are none, and from older hubs. */
  moreHeld: z.number().int().optional(),
  /** With `?project=`: number of unread messages for other projects, highest first, 20 projects at most. Absent if there are none. */
  elsewhere: z.array(z.object({ project: ProjectName, unread: z.number().int() })).optional(),
  cursor: z.string(),
})
export type InboxAnswer = z.infer<typeof InboxAnswer>

/** A session's id, chosen by its client. */
export const SessionId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'a session id has 1 to 64 characters A-Z a-z 0-9 _ -')

const Ids = z.array(MessageId).min(1).max(maxPage)

/** With `project`, ids of messages for another project are ignored and returned as `unknown`. */
export const FetchedRequest = z.strictObject({ ids: Ids, session: SessionId, project: ProjectScope.optional() })

/** Way in which a session is notified of messages: by a hook, by a line that wakes it, by the waiting hook, or by a channel. */
export const ToldHow = z.enum(['hook', 'wake', 'waiter', 'channel'])
export type ToldHow = z.infer<typeof ToldHow>

export const ToldRequest = z.strictObject({ ids: Ids, session: SessionId, how: ToldHow })

/** `project` as in `FetchedRequest`. */
export const AckRequest = z.strictObject({ ids: Ids, project: ProjectScope.optional() })

/**
 * `acked` are now marked as read (including those that already were), `unknown` were never in this inbox or are for another project.
 * With `project`, `unread` counts the messages in its scope.
 */
export const AckAnswer = z.object({ acked: z.array(MessageId), unread: z.number().int(), unknown: z.array(MessageId) })
export type AckAnswer = z.infer<typeof AckAnswer>

/** The state of one delivery as the sender sees it. The time of a step is present once that step has happened. */
export const Receipt = z.object({
  name: z.string(),
  kind: MemberKind,
  status: z.enum(['stored', 'fetched', 'acked', 'expired', 'refused']),
  reason: z.string().optional(),
  fetchedAt: Timestamp.optional(),
  fetchedBySession: z.string().optional(),
  ackedAt: Timestamp.optional(),
  /** Time and message of the first reply by this recipient, or by its owner on its behalf. */
  answeredAt: Timestamp.optional(),
  answerId: MessageId.optional(),
  expiredAt: Timestamp.optional(),
  /** Time since which the recipient's policy holds it for its user. */
  heldSince: Timestamp.optional(),
  /** Time at which a session of the recipient was first notified of it, and the way (`ToldHow`, or a newer one), as the client reports. */
  toldAt: Timestamp.optional(),
  toldHow: z.string().max(20).optional(),
  /** The session that fetched it last, by the name its client gave. */
  shownTo: z.object({ session: z.string(), project: z.string().optional() }).optional(),
  ...reach,
  ...projectReach,
})
export type Receipt = z.infer<typeof Receipt>

/**
 * A question to several, as its sender reads it. It is open until all have answered or no longer can (refused, expired), until somebody has
 * answered and nobody who is online still owes an answer, or until its time is up. While it is open, answers to it wake nobody.
 */
export const Gather = z.object({
  of: z.number().int(),
  answered: z.number().int(),
  open: z.boolean(),
  /** Remaining time, in ms; 0 when it is up. */
  leftMs: z.number().int().min(0),
})
export type Gather = z.infer<typeof Gather>

/** A scheduled message that waits for its delivery at `at`. */
export const LaterMessage = z.object({
  id: MessageId,
  /** As the sender wrote it. */
  to: z.array(z.string()),
  at: Timestamp,
  writtenAt: Timestamp,
  intent: Intent.optional(),
  replyTo: MessageId.optional(),
  expiresInS: z.number().int().optional(),
  /** The first `laterCharacters` of the text, and the length of all of it in bytes. */
  beginning: z.string(),
  bytes: z.number().int(),
})
export type LaterMessage = z.infer<typeof LaterMessage>

/** Maximum number of characters of a text in the list of scheduled messages. */
export const laterCharacters = 1000

/** All scheduled messages of the caller that wait, by `at`: 100 at most. */
export const LaterAnswer = z.object({ messages: z.array(LaterMessage) })
export type LaterAnswer = z.infer<typeof LaterAnswer>

/**
 * Members whose messages are requested: the caller, or machines that the caller owns; for an admin anybody. Several are separated by
 * commas, or given as repeated parameters.
 */
export const MailOf = z.union([
  z.string().trim().min(1).max(10_000),
  z.array(z.string().trim().min(1).max(100)).min(1).max(maxNames),
])
export type MailOf = z.infer<typeof MailOf>

/**
 * History, newest first: that of the members `of` names; by default the caller's own, for an admin everybody's. For the next page, pass the
 * seq of the last message as `before`.
 */
export const HistoryQuery = z.strictObject({
  of: MailOf.optional(),
  with: z.string().trim().min(1).max(201).optional(),
  q: z.string().trim().min(1).max(200).optional(),
  before: z.coerce.number().int().positive().optional(),
  limit: z.coerce.number().int().min(1).max(maxPage).default(maxPage),
})

/** One message with its receipts. A recipient sees only its own; the sender and an admin see all, and an owner those their machines see. */
export const MessageWithReceipts = z.object({
  /** `held` is set if it is held in the reader's own inbox: a client must not show the text to an agent. */
  message: InboxMessage.omit({ fetchedBy: true, muted: true, answeredBy: true }).extend({
    /** Length of its text in bytes of UTF-8, even if withheld; 0 once deleted. Absent from older hubs. */
    bytes: z.number().int().optional(),
    /** Set if the caller, an admin, may not read the text: `body` is empty. */
    withheld: z.literal(true).optional(),
  }),
  receipts: z.array(Receipt),
  /** For its sender, if it is a question to several. Absent from older hubs. */
  gather: Gather.optional(),
})
export type MessageWithReceipts = z.infer<typeof MessageWithReceipts>

/** `more` means that there may be older ones; `damaged` that the hub's store is damaged, so that unreadable messages are missing. */
export const HistoryAnswer = z.object({
  messages: z.array(MessageWithReceipts),
  more: z.boolean(),
  damaged: z.boolean().optional(),
})
export type HistoryAnswer = z.infer<typeof HistoryAnswer>
