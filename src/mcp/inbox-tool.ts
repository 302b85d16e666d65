import type { InboxAnswer } from '../protocol/messages.ts'
import { inboxRoutes } from '../protocol/routes/inbox.ts'
import { count } from '../text/spans.ts'
import { type InboxText, inboxText, maxAnswerBytes } from './inbox-text.ts'
import type { Line } from './line.ts'
import { questionsOf } from './questions.ts'
import { pages } from './read-state.ts'

/** Default number of messages in one result: about as many as a model takes in at once. */
const defaultLimit = 20

/** Reads the inbox and returns the result's text; saves any file that the text refers to. */
export async function readInboxText({ client, scope, keepWhole }: Line, limit: number | undefined): Promise<InboxText> {
  const read = await readUnread({ client, scope }, limit)
  const questions = await questionsOf(client, read.messages)
  return inboxText({ ...read, questions, now: client.now(), keepWhole })
}

type ScopedLine = Pick<Line, 'client' | 'scope'>

/** Most unknown ids that a result names. */
const maxUnknown = 20

/** Acks `ids` at once: the caller names messages that it was shown earlier. Returns a sentence. */
export async function ackByIds({ client, scope }: ScopedLine, ids: string[]): Promise<string> {
  let acked = 0
  let unread = 0
  const unknown: string[] = []
  for (const page of pages(ids)) {
    const answer = await client.call(inboxRoutes.ackInbox, { body: { ids: page, project: scope } })
    acked += answer.acked.length
    unread = answer.unread
    unknown.push(...answer.unknown)
  }
  const never =
    unknown.length > 0
      ? ` ${scope === undefined ? 'Never in this inbox' : 'Never in this inbox, or for another project'}: ${unknown.slice(0, maxUnknown).join(', ')}${unknown.length > maxUnknown ? ` and ${unknown.length - maxUnknown} more` : ''}.`
      : ''
  return `Acked ${count(acked, 'message')}; ${unread} unread.${never}`
}

/**
 * Reads unread messages page by page until there are no more, `limit` is reached, or no result could hold more. Held messages are returned
 * without their text and do not count against either limit: messages behind them are still shown.
 */
async function readUnread(
  { client, scope }: ScopedLine,
  limit = defaultLimit,
): Promise<Pick<InboxAnswer, 'you' | 'messages' | 'unread' | 'moreHeld' | 'elsewhere'>> {
  const open: InboxAnswer['messages'] = []
  const held: InboxAnswer['messages'] = []
  let bytes = 0
  let after: string | undefined
  for (;;) {
    const size = held.length > 0 ? 100 : Math.min(100, limit - open.length)
    const page = await client.call(inboxRoutes.readInbox, { query: { limit: size, after, project: scope } })
    for (const message of page.messages) {
      if (message.held) held.push({ ...message, body: '' })
      else if (open.length < limit) {
        open.push(message)
        bytes += Buffer.byteLength(message.body)
      }
    }
    after = page.cursor
    if (page.more === 0 || open.length >= limit || bytes > maxAnswerBytes)
      return { ...page, messages: [...open, ...held] }
  }
}
