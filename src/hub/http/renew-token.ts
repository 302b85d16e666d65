import type { ServerResponse } from 'node:http'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { hashToken, parseToken, renewHeader } from '../../protocol/token.ts'
import { count } from '../../text/spans.ts'
import type { Identity } from '../auth/identify.ts'
import type { Hub } from '../hub.ts'
import { timestamp } from '../state/timestamp.ts'
import type { Handlers } from './handler.ts'

/** Overlap of a token that its machine has renewed, in seconds: for running sessions, and for responses that were lost. */
const overlapS = 24 * 3600

/** Most tokens of one member in their overlap. A machine renews its token once in half of its lifetime. */
const maxOverlapping = 4

/** `POST /v1/token`. */
export const renewToken: Handlers['renewToken'] = async ({ hub, identity, body }) => {
  const parsed = parseToken(body.token)
  if (parsed?.role !== identity.role) {
    throw new ClaudeNetError('invalid', `This is not a token of a ${identity.role}.`, 'Make it as claude-net does.')
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

/** Sets the header that asks a machine to renew its token, on every response once renewal is due. */
export function setRenewHeader(
  { renewFrom }: Identity,
  { steadyNow }: Pick<Hub, 'steadyNow'>,
  response: ServerResponse,
): void {
  if (renewFrom !== undefined && renewFrom <= steadyNow) response.setHeader(renewHeader, '1')
}

/**
 * Returns the remark with which the tools that the hub serves begin when a token is about to end, as no client renews it there. Empty in the
 * first half of the renewal period.
 */
export function renewalRemark({ renewFrom, limit, name }: Identity, { steadyNow }: Pick<Hub, 'steadyNow'>): string[] {
  if (renewFrom === undefined || limit === undefined || steadyNow < (renewFrom + limit) / 2) return []
  const days = Math.max(0, Math.floor((limit - steadyNow) / 86_400_000))
  return [
    `The token of ${name} ends in ${count(days, 'day')}, and nothing has renewed it. Tell your user to run on ${name}: claude-net doctor`,
  ]
}
