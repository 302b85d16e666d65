import { formatPlace, parsePlace } from '../state/query/conversations.ts'
import { timestamp } from '../state/timestamp.ts'
import type { Handlers } from './handler.ts'
import { membersNamed, type Sight } from './sight.ts'

/** `GET /v1/conversations`. */
export const listConversations: (sight: Sight) => Handlers['listConversations'] =
  sight =>
  async ({ hub, identity, query, request }) => {
    const { limit } = query
    const of = membersNamed(hub, query.of)
    const before = query.before === undefined ? undefined : parsePlace(query.before)
    const filter = { viewer: sight.viewerOf(identity), of, before, limit, now: Date.now() }
    const found = await hub.reader.ask('conversations', filter, identity.tokenId)
    const page = found.slice(0, limit)
    const more = found.length > limit
    if (page.some(({ beginning }) => beginning !== undefined))
      sight.looks(
        { identity, address: request.clientAddress },
        [query.of ?? null].flat().join(',') || null,
        `${page.length} conversations`,
      )
    return {
      conversations: page.map(({ of, with: other, kind, seq, at, from, intent, beginning, isHeld, ...counts }) => ({
        ...{ of, with: other, kind, lastSeq: seq, lastAt: timestamp(at), lastFrom: from, lastIntent: intent },
        // A message held for the user of a machine is not shown to its agent.
        ...(beginning !== undefined && !(isHeld && identity.role === 'machine') && { beginning }),
        ...{ unread: counts.unread, openQuestions: counts.openQuestions },
      })),
      more,
      ...(more && { next: formatPlace(page.at(-1)!) }),
    }
  }
