import type { HubClient } from '../client/hub-client.ts'
import type { Scope } from '../client/project/scope.ts'
import type { InboxMessage } from '../protocol/messages.ts'
import { inboxRoutes } from '../protocol/routes/inbox.ts'
import type { Mail } from './news.ts'

/** Most pages of 100 that are read to know what is unread. Beyond, the inbox itself says how much there is. */
const maxPages = 10

/** Most characters of a text that are fetched for a notice. */
const previewCharacters = 200

/** Reads the beginnings of what is unread in this machine's inbox for `scope`, oldest first, and how many messages that is. */
export async function readUnread(
  client: HubClient,
  scope: Scope,
): Promise<{ messages: InboxMessage[]; unread: number }> {
  const messages: InboxMessage[] = []
  let after: string | undefined
  for (let page = 1; ; page++) {
    const answer = await client.call(inboxRoutes.readInbox, {
      query: { after, preview: previewCharacters, project: scope },
    })
    messages.push(...answer.messages)
    after = answer.cursor
    if (answer.more === 0 || page === maxPages) return { messages, unread: answer.unread }
  }
}

/**
 * What is told of a message before it is read. `isAwaited`: it answers what this session asked; `isGathered`: that gathers answers still. An
 * answer that wants an answer, or is urgent, does not wait for others.
 */
export function toMail(
  { id, seq, from, fromKind, intent, sentAt, replyTo, body, project }: InboxMessage,
  { isAwaited, isGathered }: { isAwaited: boolean; isGathered: boolean },
): Mail {
  return {
    kind: 'mail',
    id,
    seq,
    from,
    fromKind,
    intent,
    sentAt: Date.parse(sentAt),
    ...(replyTo && { replyTo }),
    ...(isAwaited && { isAwaited: true }),
    ...(isGathered && intent === 'inform' && { isGathered: true }),
    ...(project && { project }),
    beginning: body.trimStart().split('\n')[0] ?? '',
  }
}
