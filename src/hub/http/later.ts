import { laterCharacters } from '../../protocol/messages.ts'
import { firstCharacters } from '../../text/visible.ts'
import { laterOf } from '../state/query/later.ts'
import { timestamp } from '../state/timestamp.ts'
import type { Handlers } from './handler.ts'

/** `GET /v1/later`: the caller's scheduled messages that are not due yet. */
export const listLater: Handlers['listLater'] = ({ hub, identity }) => ({
  messages: laterOf(hub.state.db, identity.member).map(({ seq: _, at, writtenAt, body, ...message }) => ({
    ...message,
    at: timestamp(at),
    writtenAt: timestamp(writtenAt),
    beginning: firstCharacters(body, laterCharacters),
    bytes: Buffer.byteLength(body),
  })),
})

/** `DELETE /v1/later/:id`. */
export const cancelLater: Handlers['cancelLater'] = async ({ hub, identity, params }) => {
  const { id } = await hub.submit({ type: 'later.cancel', by: identity.member, id: params.id })
  return { id, cancelled: true }
}
