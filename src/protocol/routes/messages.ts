import * as z from 'zod'
import { MessageId } from '../ids.ts'
import { HistoryAnswer, HistoryQuery, LaterAnswer, MessageWithReceipts, SendAnswer, SendRequest } from '../messages.ts'
import { anyToken, members, route } from './route.ts'

/** Sending, history and scheduled messages. */
export const messagesRoutes = {
  sendMessage: route({
    method: 'POST',
    path: '/v1/messages',
    summary: 'Send a message; 201 when stored, 200 when this id was stored before',
    audience: members,
    body: SendRequest,
    answer: SendAnswer,
    statuses: [201, 200],
  }),
  getMessage: route({
    method: 'GET',
    path: '/v1/messages/:id',
    summary:
      'One message with its receipts, for its sender, its recipients and their owners; for an admin without its text',
    audience: anyToken,
    params: z.strictObject({ id: MessageId }),
    answer: MessageWithReceipts,
  }),
  listMessages: route({
    method: 'GET',
    path: '/v1/messages',
    summary:
      "History, newest first, with receipts, searchable by words: the caller's own, that of owned machines, or, for an admin, everybody's without texts",
    audience: anyToken,
    query: HistoryQuery,
    answer: HistoryAnswer,
  }),
  listLater: route({
    method: 'GET',
    path: '/v1/later',
    summary: "The caller's scheduled messages that are not delivered yet, by due time",
    audience: members,
    answer: LaterAnswer,
  }),
  cancelLater: route({
    method: 'DELETE',
    path: '/v1/later/:id',
    summary: 'Cancel a scheduled message that is not delivered yet; idempotent',
    audience: members,
    params: z.strictObject({ id: MessageId }),
    answer: z.object({ id: MessageId, cancelled: z.literal(true) }),
  }),
} as const
