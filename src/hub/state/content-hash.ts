import { hash as digest } from 'node:crypto'

/** The columns of a stored message that its hash covers. `named` has the recipients' names as sent, in JSON. */
export interface StoredContent {
  named: string
  body: string
  sent_at: number
  reply_to: string | null
  intent: string
  expires_at: number | null
  due_at: number | null
  hash: Uint8Array
}

/** The fields that a sender chose, as sent; null for those that were left out. */
export interface Content {
  /** The recipients' names in JSON. */
  named: string
  body: string
  replyTo: string | null
  intent: string | null
  expiresInS: number | null
  /** Time of delivery of a scheduled message, in ms since 1970. The hash of any other message omits it, as before scheduled messages existed. */
  at?: number | null
}

/** Returns the SHA-256 of everything that the sender chose. Two sends with the same one are the same message. */
export function contentHash(content: Content): Buffer {
  return Buffer.from(hashOf(content), 'latin1')
}

/** Returns the hash with a character for each byte: Node makes and compares such a string three times as fast as a Buffer. */
function hashOf({ named, body, replyTo, intent, expiresInS, at = null }: Content): string {
  const rest = JSON.stringify(
    at === null ? [body, replyTo, intent, expiresInS] : [body, replyTo, intent, expiresInS, at],
  )
  return digest('sha256', `[${named},${rest.slice(1)}`, 'binary')
}

/**
 * Reports whether a stored message is still the one that was sent. A disk may return other bytes than were written, and SQLite does not
 * notice.
 */
export function isIntact({
  named,
  body,
  sent_at,
  reply_to: replyTo,
  intent,
  expires_at,
  due_at: at,
  hash,
}: StoredContent): boolean {
  const expiresInS = expires_at === null ? null : (expires_at - sent_at) / 1000
  const sent = { named, body, replyTo, expiresInS, at }
  const stored = Buffer.from(hash.buffer, hash.byteOffset, hash.byteLength).toString('latin1')
  // The table does not record whether the sender or the hub chose the intent, so both are tried.
  return hashOf({ ...sent, intent: null }) === stored || hashOf({ ...sent, intent }) === stored
}
