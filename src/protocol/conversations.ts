import * as z from 'zod'
import { Intent, MailOf, maxPage, SenderKind, Timestamp } from './messages.ts'

/**
 * The messages between a member, `of`, and another one, `with`; or those that `of` sent to a group or to `all` if `kind` is `group`. A
 * message that reached a member through a group is in the member's conversation with the sender.
 */
export const Conversation = z.object({
  of: z.string(),
  /** A member, `hub`, or the name of a group: the value of `with=` in `GET /v1/messages`. */
  with: z.string(),
  kind: z.enum([...SenderKind.options, 'group']),
  /** The seq of its newest message. */
  lastSeq: z.number().int(),
  lastAt: Timestamp,
  lastFrom: z.string(),
  lastIntent: Intent,
  /** The first characters of its newest message. Absent if the caller may not read that text. */
  beginning: z.string().optional(),
  /** Number of messages from `with` that are unread in the inbox of `of`. */
  unread: z.number().int(),
  /** Number of unanswered requests of the last 30 days, in both directions, among the newest 500 messages of `of`. */
  openQuestions: z.number().int(),
})
export type Conversation = z.infer<typeof Conversation>

/**
 * `before` is `next` of the previous page. Without `of`: the conversations of the caller and of the machines that the caller owns; for
 * an admin all, each once.
 */
export const ConversationsQuery = z.strictObject({
  of: MailOf.optional(),
  before: z
    .string()
    .regex(/^\d{1,16}(?::\d{1,16}:-?\d{1,16}:[a-z0-9-]{0,64})?$/, 'not the `next` of a previous page')
    .optional(),
  limit: z.coerce.number().int().min(1).max(maxPage).default(maxPage),
})
export type ConversationsQuery = z.output<typeof ConversationsQuery>

/** Ordered by their newest message, newest first. `next` is present if `more` is true. */
export const ConversationsAnswer = z.object({
  conversations: z.array(Conversation),
  more: z.boolean(),
  next: z.string().optional(),
})
export type ConversationsAnswer = z.infer<typeof ConversationsAnswer>
