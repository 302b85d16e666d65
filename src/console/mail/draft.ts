import type { SendRequest } from '../../protocol/messages.ts'
import { bytesInWords } from '../../text/bytes.ts'
import { type Clock, readMoment, readSpanText } from '../../text/moment.ts'
import { addressesIn } from './completion.ts'

/** A message in progress: the fields of the form as typed. */
export interface Draft {
  to: string
  body: string
  intent: '' | 'request' | 'inform' | 'urgent'
  /** Time to send it and expiry, as typed. */
  at: string
  expires: string
  replyTo?: string
  /** The writer's machine on whose behalf they answer. */
  answersFor?: string
}

export const emptyDraft: Draft = { to: '', body: '', intent: '', at: '', expires: '' }

/** Equal to `maxBodyBytes` and `maxExpiryS` of protocol/messages.ts, whose import would bring its schemas into the page. */
export const maxBytes = 32 * 1024
export const maxExpiresS = 31_536_000

/** Errors of a draft by field, each a sentence that says what to do. */
export type Wrong = Partial<Record<'to' | 'body' | 'at' | 'expires', string>>

/** Returns the request for a draft, or its errors. Names and permissions are checked by the hub. */
export function requestOf(draft: Draft, id: string, clock: Clock): (SendRequest & { id: string }) | { wrong: Wrong } {
  const wrong: Wrong = {}
  const to = addressesIn(draft.to)
  if (to.length === 0) wrong.to = 'Enter a recipient: a name, a group, or all.'
  const body = draft.body.toWellFormed()
  const bytes = bytesOf(body)
  if (!/[^\s\p{Default_Ignorable_Code_Point}\u2800]/u.test(body)) wrong.body = 'Enter a text.'
  else if (bytes > maxBytes)
    wrong.body = `The text has ${bytesInWords(bytes)}; the limit is ${bytesInWords(maxBytes)}. Send a summary, and say where the rest is.`
  const at = attempt('at', () => (draft.at.trim() === '' ? undefined : readMoment(draft.at, clock).at))
  const expiresInS = attempt('expires', () =>
    draft.expires.trim() === '' ? undefined : readSpanText(draft.expires) / 1000,
  )
  if (expiresInS !== undefined && expiresInS > maxExpiresS) wrong.expires = 'The longest expiry is a year (365d).'
  if (Object.keys(wrong).length > 0) return { wrong }
  const intent = draft.intent || (draft.replyTo === undefined ? undefined : 'inform')
  return {
    id,
    to: to.length === 1 ? to[0]! : to,
    body,
    ...(intent && { intent }),
    ...(draft.replyTo !== undefined && { replyTo: draft.replyTo }),
    ...(draft.answersFor !== undefined && { answersFor: draft.answersFor }),
    ...(at !== undefined && { at: new Date(at).toISOString() }),
    ...(expiresInS !== undefined && { expiresInS: Math.ceil(expiresInS) }),
  }

  function attempt<T>(field: keyof Wrong, read: () => T): T | undefined {
    try {
      return read()
    } catch (error) {
      const { message } = error as Error
      wrong[field] = `${message[0]?.toUpperCase()}${message.slice(1)}.`
      return undefined
    }
  }
}

export function bytesOf(text: string): number {
  return new TextEncoder().encode(text).length
}
