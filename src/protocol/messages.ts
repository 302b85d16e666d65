import * as z from 'zod'
import { ClaudeNetError } from './errors.ts'
import { MessageId } from './ids.ts'
import { addressOf, ProjectName, ProjectScope } from './projects.ts'

/** Most bytes of UTF-8 that the text of one message may have. */
export const maxBodyBytes = 32 * 1024

/** The refusal of a text of `bytes` bytes. */
export function tooLarge(bytes: number): ClaudeNetError {
  return new ClaudeNetError(
    'too_large',
    `The message has ${bytes} bytes; ${maxBodyBytes} is the most.`,
    'Send the gist, and say where the rest is.',
  )
}

/** A header of `POST /v1/messages`, with any value: the message waited in an outbox because no hub answered. */
export const keptHeader = 'claude-net-kept'

/** Most names that one send may list. A group or `all` counts as one. */
const maxNames = 100

/** Most messages, ids or rows in one request or answer; also the default of every `limit`. */
export const maxPage = 100

/** `request` waits for an answer, `inform` does not, `urgent` should be seen now. What an intent may interrupt is the recipient's choice. */
export const Intent = z.enum(['request', 'inform', 'urgent'])
export type Intent = z.infer<typeof Intent>

/** Who can join with a token, read and be written to. */
export const JoinableKind = z.enum(['machine', 'human'])
export type JoinableKind = z.infer<typeof JoinableKind>

/** A `service` stands for events from outside: it writes what a webhook received, and nobody writes to it. */
export const MemberKind = z.enum([...JoinableKind.options, 'service'])
export type MemberKind = z.infer<typeof MemberKind>

/** Who may stand behind a message: a member, or the hub itself with a notice. */
export const SenderKind = z.enum([...MemberKind.options, 'hub'])
export type SenderKind = z.infer<typeof SenderKind>

/** RFC 3339 in UTC with milliseconds: `2026-11-22T15:00:00.000Z`. */
export const Timestamp = z.iso.datetime({ precision: 3 })

/** A text that is well-formed Unicode: a lone surrogate would not survive UTF-8. */
const WellFormed = z
  .string()
  .refine(text => text.isWellFormed(), 'must be well-formed Unicode (a lone surrogate was found)')

/** The longest life that a message can be given, in seconds: a year. */
export const maxExpiryS = 31_536_000

/** The longest time that a question to several can gather answers, in seconds: a week; and how long it does unless the asker says. */
export const maxWithinS = 604_800
export const defaultWithinS = 600

/** Whether a text has nothing but white space and what draws nothing. Controls are something: they are shown as escapes. */
export function isBlank(text: string): boolean {
  return !/[^\s\p{Default_Ignorable_Code_Point}\u2800]/u.test(text)
}

/** Most characters of a name as it is typed. */
const maxTyped = 100

/** A name, or `name/project`. */
const TypedAddress = z
  .string()
  .trim()
  .min(1, 'a name is empty')
  .max(2 * maxTyped + 1, `an address has ${2 * maxTyped + 1} characters at most`)
  .refine(
    typed => typed.split('/').every(part => part.length <= maxTyped),
    `a name has ${maxTyped} characters at most, and so has a project`,
  )

export const SendRequest = z.strictObject({
  id: MessageId.optional(),
  to: z.union([TypedAddress, z.array(TypedAddress).min(1, 'it names nobody').max(maxNames)], {
    error: `it is a name or a list of at most ${maxNames} names`,
  }),
  body: WellFormed.refine(text => !isBlank(text), 'a message needs a text'),
  replyTo: MessageId.optional(),
  intent: Intent.optional(),
  /** From when it is stored in the inbox on; of later mail from `at` on. */
  expiresInS: z.number().int().min(1).max(maxExpiryS).optional(),
  /** Of a `request` or an `urgent` to several: for how long its asker waits with being woken by an answer. See `Gather`. */
  withinS: z.number().int().min(1).max(maxWithinS).optional(),
  /** Later mail: the hub stores it now, and delivers it then. With any offset, to the millisecond. */
  at: z.iso.datetime({ offset: true }).optional(),
  /** The project of the session that sends: its own claim, and no part of what the id binds. */
  fromProject: ProjectScope.optional(),
  /** A machine of the sender's, in whose place the sender, a person, answers `replyTo`. */
  answersFor: z.string().trim().min(1).max(maxTyped).optional(),
})
export type SendRequest = z.infer<typeof SendRequest>

const plainId = /^[0-9a-f]{8}-[0-9a-f]{4}-[1-8][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/
const plainAddress = /^[a-z0-9][a-z0-9-]{0,62}(?:\/[a-z0-9][a-z0-9-]{0,62})?$/
const plainProject = /^(?:[a-z0-9]|[a-z0-9][a-z0-9-]{0,61}[a-z0-9])?$/

/** Whether a value is a send of the usual shape: one that `SendRequest` takes, and leaves as it is. Of others it says nothing. */
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

/** Whether a member reads. Older hubs say nothing of the ways to a person. */
const reach = {
  online: z.boolean(),
  lastSeenAt: Timestamp.nullable(),
  /** Of a human: whether the hub's Telegram carries their mail. */
  telegram: z.boolean().optional(),
  /** Of a human, in the answer of a send: the first five machines that they own, by name. */
  machines: z.array(z.string()).optional(),
}

const Reach = z.object(reach)
export type Reach = z.infer<typeof Reach>

/** Whom a message was sent to, where that is not the reader alone, or a project of theirs, by their own name: a group, `all`, several. */
export function sentToOthers({ to }: { to: readonly string[] }, you: string | undefined): string | undefined {
  const isOwn = to.length === 1 && (you === undefined ? to[0] !== 'all' : addressOf(to[0]!).name === you)
  return isOwn || to.length === 0 ? undefined : to.join(', ')
}

/** Whether the project that a message is for reads, as the machine claims: what its sessions say of themselves. */
const projectReach = {
  project: ProjectName.optional(),
  /** With `project`: how many sessions of it live. */
  projectSessions: z.number().int().optional(),
  /** With `project`: when one of its sessions was last heard of; null for never. */
  projectLastSeenAt: Timestamp.nullable().optional(),
  /** With `project`: how many sessions of the member live, those of the project among them. */
  sessions: z.number().int().optional(),
}

const ProjectReach = z.object(projectReach)
export type ProjectReach = z.infer<typeof ProjectReach>

/** What came of one recipient when the message was sent. `online` and `lastSeenAt` are of the moment of the answer. */
export const SentTo = z.object({
  name: z.string(),
  kind: MemberKind,
  /** `later`: it is to be stored there at `at` of the answer; who is meant, and who takes it, is asked again then. */
  status: z.enum(['stored', 'refused', 'later']),
  reason: z.string().optional(),
  ...reach,
  ...projectReach,
})
export type SentTo = z.infer<typeof SentTo>

/** Of later mail that waits, `seq` and `sentAt` are of when the hub stored it: it gets others when it is delivered. */
export const SendAnswer = z.object({
  id: MessageId,
  seq: z.number().int(),
  sentAt: Timestamp,
  /** When it is to be delivered. Absent once it has been. */
  at: Timestamp.optional(),
  recipients: z.array(SentTo),
})
export type SendAnswer = z.infer<typeof SendAnswer>

/** A message as its recipient reads it. `to` is what the sender wrote; `fetchedBy` the session that was last given it. */
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
  /** Of later mail: when its sender wrote it. `sentAt` is when it was delivered. */
  writtenAt: Timestamp.optional(),
  body: z.string(),
  /** For the recipient's user only, by the recipient's policy: a client must not show the text to an agent. */
  held: z.literal(true).optional(),
  /** The hub's disk has damaged it: `body` says so instead of the text, and `to` is empty. */
  damaged: z.literal(true).optional(),
  /** From a sender whom the recipient has muted: nobody should be told of it. */
  muted: z.literal(true).optional(),
  fetchedBy: z.object({ session: z.string(), at: Timestamp }).optional(),
  /** In an inbox: how many newer unread messages of the same sender follow, as far as the next 1,000 messages tell. Absent where none do. */
  newer: z.number().int().optional(),
  /** Since when `body` is empty because the hub keeps texts no longer. Never in an inbox: only of messages that are over. */
  textDeletedAt: Timestamp.optional(),
  /** For which project of the reader it is. */
  project: ProjectName.optional(),
  /** From which project of the sender it came, as its machine claims. */
  fromProject: ProjectName.optional(),
  /** The human who answered this in place of the recipient, whose machine it is. */
  answeredBy: z.string().optional(),
})
export type InboxMessage = z.infer<typeof InboxMessage>

/**
 * Unread messages, oldest first. `unread` counts all of them, `more` those after the last one here; with `?project=` both count what is
 * in its scope.
 * `cursor` is where a next page starts (`?after=`).
 */
export const InboxAnswer = z.object({
  /** The reader, so that mail which was sent to another name, such as a group, can say so. Absent in older hubs. */
  you: z.string().optional(),
  messages: z.array(InboxMessage),
  unread: z.number().int(),
  more: z.number().int(),
  /** How many of `more` are held. Absent where none are, and from older hubs. */
  moreHeld: z.number().int().optional(),
  /** With `?project=`: how much is unread for other projects, the most first, 20 at most. Absent where there is none. */
  elsewhere: z.array(z.object({ project: ProjectName, unread: z.number().int() })).optional(),
  cursor: z.string(),
})
export type InboxAnswer = z.infer<typeof InboxAnswer>

/** A session's own name for itself. */
export const SessionId = z
  .string()
  .regex(/^[A-Za-z0-9_-]{1,64}$/, 'a session id has 1 to 64 characters A-Z a-z 0-9 _ -')

const Ids = z.array(MessageId).min(1).max(maxPage)

/** With `project`, ids of mail that is for another project are left as they are and answered as `unknown`. */
export const FetchedRequest = z.strictObject({ ids: Ids, session: SessionId, project: ProjectScope.optional() })

/** How a session is told that there is mail: by a hook, by a line that wakes it, by the hook that waits, or by a channel. */
export const ToldHow = z.enum(['hook', 'wake', 'waiter', 'channel'])
export type ToldHow = z.infer<typeof ToldHow>

export const ToldRequest = z.strictObject({ ids: Ids, session: SessionId, how: ToldHow })

/** `project` as in `FetchedRequest`. */
export const AckRequest = z.strictObject({ ids: Ids, project: ProjectScope.optional() })

/**
 * `acked` are read from now on (also those that were before), `unknown` were never in this inbox or are for another project. With
 * `project`, `unread` counts what is in its scope.
 */
export const AckAnswer = z.object({ acked: z.array(MessageId), unread: z.number().int(), unknown: z.array(MessageId) })
export type AckAnswer = z.infer<typeof AckAnswer>

/** The state of one delivery as the sender may see it. Times are there once the step was taken. */
export const Receipt = z.object({
  name: z.string(),
  kind: MemberKind,
  status: z.enum(['stored', 'fetched', 'acked', 'expired', 'refused']),
  reason: z.string().optional(),
  fetchedAt: Timestamp.optional(),
  fetchedBySession: z.string().optional(),
  ackedAt: Timestamp.optional(),
  /** When this recipient, or its owner in its place, first replied to it, and with which message. */
  answeredAt: Timestamp.optional(),
  answerId: MessageId.optional(),
  expiredAt: Timestamp.optional(),
  /** Since when it lies where only the recipient's user sees it, by the recipient's policy. */
  heldSince: Timestamp.optional(),
  /** When a session of the recipient was first told that there is this message, and how (`ToldHow`, or a way that is newer): says the client. */
  toldAt: Timestamp.optional(),
  toldHow: z.string().max(20).optional(),
  /** The session that was last given it, as its client named it. */
  shownTo: z.object({ session: z.string(), project: z.string().optional() }).optional(),
  ...reach,
  ...projectReach,
})
export type Receipt = z.infer<typeof Receipt>

/**
 * A question to several, as its asker reads it. It is open until all have answered or cannot any more (refused, expired), until somebody has
 * answered and nobody who is online still owes an answer, or until its time is over. Until then an answer to it wakes nobody.
 */
export const Gather = z.object({
  of: z.number().int(),
  answered: z.number().int(),
  open: z.boolean(),
  /** How much of its time is left, in ms; 0 when it is over. */
  leftMs: z.number().int().min(0),
})
export type Gather = z.infer<typeof Gather>

/** Later mail that waits: what was sent, and when it is to be delivered. */
export const LaterMessage = z.object({
  id: MessageId,
  /** As the sender wrote it. */
  to: z.array(z.string()),
  at: Timestamp,
  writtenAt: Timestamp,
  intent: Intent.optional(),
  replyTo: MessageId.optional(),
  expiresInS: z.number().int().optional(),
  /** The first `laterCharacters` of the text, and how many bytes all of it has. */
  beginning: z.string(),
  bytes: z.number().int(),
})
export type LaterMessage = z.infer<typeof LaterMessage>

/** Most characters of a text in the list of later mail. */
export const laterCharacters = 1000

/** All that the caller has waiting for later, by `at`: a hundred at most. */
export const LaterAnswer = z.object({ messages: z.array(LaterMessage) })
export type LaterAnswer = z.infer<typeof LaterAnswer>

/**
 * Whose mail is asked for: the caller's own, or that of machines which the caller owns; an admin's, of anybody. Several stand in one
 * parameter with commas between them, or in several.
 */
export const MailOf = z.union([
  z.string().trim().min(1).max(10_000),
  z.array(z.string().trim().min(1).max(100)).min(1).max(maxNames),
])
export type MailOf = z.infer<typeof MailOf>

/**
 * History, newest first: the caller's own, or of whoever `of` names; without `of`, an admin's is everybody's. `before` of a next page is the
 * seq of the last one here.
 */
export const HistoryQuery = z.strictObject({
  of: MailOf.optional(),
  with: z.string().trim().min(1).max(201).optional(),
  q: z.string().trim().min(1).max(200).optional(),
  before: z.coerce.number().int().positive().optional(),
  limit: z.coerce.number().int().min(1).max(maxPage).default(maxPage),
})

/** One message with what became of it. A recipient sees its own receipt only; the sender and an admin see all, and an owner what their machines see. */
export const MessageWithReceipts = z.object({
  /** `held` where this is in the reader's own inbox, by its policy: a client must not show the text to an agent. */
  message: InboxMessage.omit({ fetchedBy: true, muted: true, answeredBy: true }).extend({
    /** The bytes of its text in UTF-8, also where that is withheld; 0 once it was deleted. Absent from older hubs. */
    bytes: z.number().int().optional(),
    /** The text is not for the caller to read, an admin: `body` is empty. */
    withheld: z.literal(true).optional(),
  }),
  receipts: z.array(Receipt),
  /** For its sender, where it is a question to several. Absent from older hubs. */
  gather: Gather.optional(),
})
export type MessageWithReceipts = z.infer<typeof MessageWithReceipts>

/** `more` says that there may be older ones; `damaged`, that the hub's store is, and that what cannot be read is missing. */
export const HistoryAnswer = z.object({
  messages: z.array(MessageWithReceipts),
  more: z.boolean(),
  damaged: z.boolean().optional(),
})
export type HistoryAnswer = z.infer<typeof HistoryAnswer>
