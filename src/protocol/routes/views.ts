import { ChartsAnswer, ChartsQuery } from '../charts.ts'
import { ConversationsAnswer, ConversationsQuery } from '../conversations.ts'
import { anyToken, route } from './route.ts'

/** What somebody sees who looks on: a person of their own machines, an admin of all, without texts. */
export const viewsRoutes = {
  listConversations: route({
    method: 'GET',
    path: '/v1/conversations',
    summary: 'Who talks with whom, the newest first: own, those of owned machines, or, for an admin, all',
    audience: anyToken,
    query: ConversationsQuery,
    answer: ConversationsAnswer,
  }),
  charts: route({
    method: 'GET',
    path: '/v1/charts',
    summary: 'What was sent, how fast it was noticed and how old the oldest unread was, over the last hours',
    audience: anyToken,
    query: ChartsQuery,
    answer: ChartsAnswer,
  }),
} as const
