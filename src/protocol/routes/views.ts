import { ChartsAnswer, ChartsQuery } from '../charts.ts'
import { ConversationsAnswer, ConversationsQuery } from '../conversations.ts'
import { anyToken, route } from './route.ts'

/** Views of traffic: for a person that of their own machines, for an admin that of all, without texts. */
export const viewsRoutes = {
  listConversations: route({
    method: 'GET',
    path: '/v1/conversations',
    summary: "List conversations, newest first: the caller's own, those of owned machines, or, for an admin, all",
    audience: anyToken,
    query: ConversationsQuery,
    answer: ConversationsAnswer,
  }),
  charts: route({
    method: 'GET',
    path: '/v1/charts',
    summary: 'Messages sent, time until notification and age of the oldest unread message, over the last hours',
    audience: anyToken,
    query: ChartsQuery,
    answer: ChartsAnswer,
  }),
} as const
