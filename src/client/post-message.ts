import { ClaudeNetError } from '../protocol/errors.ts'
import type { SendAnswer } from '../protocol/messages.ts'
import { messagesRoutes } from '../protocol/routes/messages.ts'
import type { HubClient } from './hub-client.ts'
import type { Kept } from './kept.ts'

/** Fields that an older hub may not know, and without which the message means the same. */
const optionalFields = ['withinS'] as const

/** Sends one message; to a hub that is too old for an optional field, without that field. Throws the hub's refusal. */
export async function postMessage(
  client: HubClient,
  request: Kept,
  headers: Record<string, string> = {},
): Promise<SendAnswer> {
  try {
    return await client.call(messagesRoutes.sendMessage, { body: request, headers })
  } catch (error) {
    const reduced = error instanceof ClaudeNetError && error.code === 'invalid' && forOlderHub(request, error.message)
    if (!reduced) throw asOlderHub(error)
    return postMessage(client, reduced, headers)
  }
}

/** Returns the message without its optional fields, if `refusal` is about an unknown field and it has some. */
function forOlderHub(request: Kept, refusal: string): Kept | undefined {
  const present = optionalFields.filter(field => request[field] !== undefined)
  if (present.length === 0 || !/unrecognized key/i.test(refusal)) return undefined
  return { ...request, ...Object.fromEntries(present.map(field => [field, undefined])) }
}

/** Explains the refusal of a field that an older hub does not know. The field matters: a message for later must not be sent now. */
function asOlderHub(error: unknown): unknown {
  if (!(error instanceof ClaudeNetError) || error.code !== 'invalid') return error
  const [, fields] = /^body: Unrecognized keys?: (.+)$/.exec(error.message) ?? []
  if (fields === undefined) return error
  return new ClaudeNetError(
    'invalid',
    `The hub is older than this client and does not support ${fields.replaceAll('"', "'")}. Nothing was sent.`,
    'Ask its admin to update the hub, or send it without.',
  )
}
