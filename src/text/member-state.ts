import { presenceInWords, type Reach, serviceState } from './presence.ts'
import { ago, largestUnit } from './spans.ts'

/** Time before the end of a token from which on it is shown, in ms. */
const nearMs = 7 * 86_400_000

/** The data of a member's credentials that an admin sees (`MemberDetails` in protocol/members.ts). */
interface WithTokens {
  /** The newest last. */
  tokens: readonly { createdAt: string; lastUsedAt: string | null; endsAt: string | null }[]
}

/**
 * Returns the age of a member's token, its end if that is near, and the number of older ones that are still valid; empty without a token.
 */
export function tokenAge({ tokens }: WithTokens, now: number): string {
  const newest = tokens.at(-1)
  if (!newest) return ''
  const leftMs = newest.endsAt === null ? Infinity : Date.parse(newest.endsAt) - now
  return [
    `${largestUnit(Math.max(0, now - Date.parse(newest.createdAt)))} old`,
    ...(leftMs < nearMs ? [`ends in ${largestUnit(Math.max(0, leftMs))}`] : []),
    ...(tokens.length > 1 ? [`${tokens.length - 1} replaced`] : []),
  ].join(', ')
}

/** Returns the last use of any token of a member: `5 min ago`, `never`; empty without a token. */
export function lastUse({ tokens }: WithTokens, now: number): string {
  if (tokens.length === 0) return ''
  const uses = tokens.flatMap(({ lastUsedAt }) => (lastUsedAt === null ? [] : [Date.parse(lastUsedAt)]))
  return uses.length > 0 ? ago(Math.max(...uses), now) : 'never'
}

/**
 * Returns a member's presence, or why it cannot read: it has not joined, was revoked, or its token ended by age. Without a token a member
 * reads nothing, except a person on Telegram. One that has joined can only have lost its token by `revoke`.
 */
export function memberState(
  member: Reach & {
    kind: string
    tokenId: string | null
    tokenEndedAt: string | null
    joinedAt: string | null
    boundTo: readonly string[]
  },
  now: number,
): string {
  const { tokenId, tokenEndedAt, joinedAt, boundTo, kind, ...presence } = member
  const bound = boundTo.length > 0 ? `; from ${boundTo.join(', ')} only` : ''
  if (kind === 'service') return `${serviceState}${bound}`
  const state = presenceInWords(presence, now) + bound
  if (tokenEndedAt !== null) return `its token ended by age ${ago(Date.parse(tokenEndedAt), now)}; ${state}`
  if (tokenId !== null || presence.telegram) return state
  return joinedAt === null ? 'has not joined' : `revoked; ${state}`
}
