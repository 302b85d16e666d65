import { createHash } from 'node:crypto'
import { stringify, v7 } from 'uuid'
import * as z from 'zod'

/** A message id: a UUID in lower case, minted by the sender before the first try, so that every later try is known as the same. */
export const MessageId = z.uuid().toLowerCase()

/** A fresh id (UUIDv7, RFC 9562: rises with time, 74 random bits). */
export function newMessageId(): string {
  return v7()
}

/**
 * The id that belongs to `seed`, always the same (UUIDv8, RFC 9562 section 5.8: 122 bits of our own, here of SHA-256).
 * For a caller that may repeat itself and names each call uniquely: one call is one message.
 */
export function messageIdFor(seed: string): string {
  const bytes = createHash('sha256').update(`message:${seed}`).digest().subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x80
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return stringify(bytes)
}
