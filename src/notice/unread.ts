import type { HubClient } from '../client/hub-client.ts'
import type { Scope } from '../client/project/scope.ts'
import type { InboxMessage } from '../protocol/messages.ts'
import { inboxRoutes } from '../protocol/routes/inbox.ts'
import type { Mail } from './news.ts'

/** Most pages of 100 that are read. Messages beyond them are only counted by the inbox. */
const maxPages = 10

/** Most characters of a text that are fetched for a notice. */
const previewCharacters = 200

/** Returns the beginnings of this machine's unread messages for `scope`, oldest first, and their number. */
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
 * Returns the notice that announces a message. `isAwaited`: it answers a question of this session; `isGathered`: that question still
 * gathers answers. An answer that is itself a request, or urgent, does not wait for others.
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
