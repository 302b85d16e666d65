import * as z from 'zod'
import { MessageId } from '../ids.ts'
import { AckAnswer, AckRequest, FetchedRequest, InboxAnswer, maxPage, ToldRequest } from '../messages.ts'
import { ProjectScope } from '../projects.ts'
import { members, route } from './route.ts'

const limit = z.coerce.number().int().min(1).max(maxPage).default(maxPage)

/** Reading an inbox and reporting the state of its messages. */
export const inboxRoutes = {
  readInbox: route({
    method: 'GET',
    path: '/v1/inbox',
    summary: 'Unread messages, oldest first; reading consumes nothing',
    audience: members,
    query: z.strictObject({
      limit,
      after: z.string().max(64).optional(),
      /** Truncates every text to this many characters, for an overview. */
      preview: z.coerce.number().int().min(1).max(1000).optional(),
      project: ProjectScope.optional(),
    }),
    answer: InboxAnswer,
  }),
  markFetched: route({
    method: 'POST',
    path: '/v1/inbox/fetched',
    summary: 'Report that a session has received these messages',
    audience: members,
    body: FetchedRequest,
    answer: z.object({ fetched: z.array(MessageId), unknown: z.array(MessageId) }),
  }),
  markTold: route({
    method: 'POST',
    path: '/v1/inbox/told',
    summary: 'Report that a session was notified of these messages; the first report of each counts',
    audience: members,
    body: ToldRequest,
    answer: z.object({ told: z.number().int() }),
  }),
  ackInbox: route({
    method: 'POST',
    path: '/v1/inbox/ack',
    summary: 'Mark messages as read; idempotent',
    audience: members,
    body: AckRequest,
    answer: AckAnswer,
  }),
} as const
