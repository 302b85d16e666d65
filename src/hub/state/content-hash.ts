import { hash as digest } from 'node:crypto'

/** What a sender chose, as sent. */
export interface Content {
  to: string[]
  body: string
  replyTo?: string | null
  intent?: string | null
  expiresInS?: number | null
}

/** What makes two sends the same message: SHA-256 of everything that the sender chose, as sent. */
export function contentHash({ to, body, replyTo, intent, expiresInS }: Content): Buffer {
  const content = JSON.stringify([to, body, replyTo ?? null, intent ?? null, expiresInS ?? null])
  return digest('sha256', content, 'buffer')
}

/** A message as it lies in its table, as far as its hash covers it. */
export interface StoredContent {
  named: string
  body: string
  sent_at: number
  reply_to: string | null
  intent: string
  expires_at: number | null
  hash: Uint8Array
}

/** Whether a message is still what was sent. A disk may give back other bytes than it was given, and SQLite would not know. */
export function isIntact(row: StoredContent): boolean {
  const { body, reply_to: replyTo, sent_at, expires_at, hash } = row
  try {
    const to = JSON.parse(row.named) as string[]
    const expiresInS = expires_at === null ? null : (expires_at - sent_at) / 1000
    // Whether the intent was chosen or left to the hub, the table does not say.
    return [null, row.intent].some(intent => contentHash({ to, body, replyTo, intent, expiresInS }).equals(hash))
  } catch {
    return false
  }
}
