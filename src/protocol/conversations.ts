import * as z from 'zod'
import { Intent, MailOf, maxPage, SenderKind, Timestamp } from './messages.ts'

/**
 * What passed between a member, `of`, and another one, `with`; or what `of` sent to a group or to `all`, where `kind` is `group`. What comes to
 * a member by way of a group is in its conversation with the sender.
 */
export const Conversation = z.object({
  of: z.string(),
  /** A member, `hub`, or the name of a group: it goes into `with=` of `GET /v1/messages`. */
  with: z.string(),
  kind: z.enum([...SenderKind.options, 'group']),
  /** Of its newest message. */
  lastSeq: z.number().int(),
  lastAt: Timestamp,
  lastFrom: z.string(),
  lastIntent: Intent,
  /** The first characters of its newest message. Absent where that text is not the caller's to read. */
  beginning: z.string().optional(),
  /** How many messages of `with` lie unread with `of`. */
  unread: z.number().int(),
  /** How many requests of the last 30 days, either way, have no answer. The newest 500 messages of `of` count. */
  openQuestions: z.number().int(),
})
export type Conversation = z.infer<typeof Conversation>

/** `before` is `next` of the page before. Without `of`: the caller's own and those of machines that the caller owns; an admin's, each once. */
export const ConversationsQuery = z.strictObject({
  of: MailOf.optional(),
  before: z
    .string()
    .regex(/^\d{1,16}(?::\d{1,16}:-?\d{1,16}:[a-z0-9-]{0,64})?$/, 'not the next of a page')
    .optional(),
  limit: z.coerce.number().int().min(1).max(maxPage).default(maxPage),
})
export type ConversationsQuery = z.output<typeof ConversationsQuery>

/** The newest first, by their newest message. `next` is there where `more` is. */
export const ConversationsAnswer = z.object({
  conversations: z.array(Conversation),
  more: z.boolean(),
  next: z.string().optional(),
})
export type ConversationsAnswer = z.infer<typeof ConversationsAnswer>
