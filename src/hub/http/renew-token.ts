import type { ServerResponse } from 'node:http'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { hashToken, parseToken, renewHeader } from '../../protocol/token.ts'
import { count } from '../../text/spans.ts'
import type { Identity } from '../auth/identify.ts'
import type { Hub } from '../hub.ts'
import { timestamp } from '../state/timestamp.ts'
import type { Handlers } from './handler.ts'

/** How long a token goes on once its machine has renewed it, in seconds: for what runs, and for answers that were lost. */
const overlapS = 24 * 3600

/** Most tokens of one member in their overlap: a machine renews its token once in half of its days. */
const maxOverlapping = 4

/** `POST /v1/token`. */
export const renewToken: Handlers['renewToken'] = async ({ hub, identity, body }) => {
  const parsed = parseToken(body.token)
  if (parsed?.role !== identity.role) {
    throw new ClaudeNetError('invalid', `This is no token of a ${identity.role}.`, 'Mint it as claude-net does.')
  }
  const { tokenId, goesOnUntil } = await hub.submit({
    type: 'token.renew',
    by: identity.member,
    tokenId: identity.tokenId,
    newId: parsed.id,
    newHash: hashToken(body.token).toString('base64'),
    overlapS,
    atMost: maxOverlapping,
  })
  return { tokenId, goesOnUntil: goesOnUntil === null ? null : timestamp(goesOnUntil) }
}

/** Tells a machine with every answer that its token is to be renewed, once it is. */
export function tellToRenew(
  { renewFrom }: Identity,
  { steadyNow }: Pick<Hub, 'steadyNow'>,
  response: ServerResponse,
): void {
  if (renewFrom !== undefined && renewFrom <= steadyNow) response.setHeader(renewHeader, '1')
}

/**
 * What the tools that the hub serves say first when a token is about to end: where no client of ours runs, nobody renews it. From half of the
 * time on in which it could have been renewed.
 */
export function renewalRemark({ renewFrom, limit, name }: Identity, { steadyNow }: Pick<Hub, 'steadyNow'>): string[] {
  if (renewFrom === undefined || limit === undefined || steadyNow < (renewFrom + limit) / 2) return []
  const days = Math.max(0, Math.floor((limit - steadyNow) / 86_400_000))
  return [
    `The token of ${name} ends in ${count(days, 'day')}, and nothing has renewed it. Tell your user to run on ${name}: claude-net doctor`,
  ]
}
