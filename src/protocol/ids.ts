import { createHash, randomFillSync } from 'node:crypto'
import { stringify, v7 } from 'uuid'
import * as z from 'zod'

/** A message id: a lower-case UUID that the sender mints before the first attempt, so that retries are recognized. */
export const MessageId = z.uuid().toLowerCase()

/** Random bytes for ids, requested in bulk: that costs no more than the bytes of one id. */
const pool = new Uint8Array(4096)
const perId = 16
let used = pool.length
/** Time and counter of the last id: ids increase even within one ms and after the clock is set back. */
let msecs = 0
let seq = 0

/** Returns a new id (UUIDv7, RFC 9562: increases with time, 74 random bits). */
export function newMessageId(): string {
  if (used === pool.length) {
    randomFillSync(pool)
    used = 0
  }
  const random = pool.subarray(used, used + perId)
  used += perId
  const now = Date.now()
  if (now > msecs) {
    msecs = now
    seq = ((random[6]! & 0x7f) << 24) | (random[7]! << 16) | (random[8]! << 8) | random[9]!
  } else {
    seq = (seq + 1) | 0
    if (seq === 0) msecs++
  }
  return v7({ random, msecs, seq })
}

/**
 * Returns the id derived from `seed`, always the same (UUIDv8, RFC 9562 section 5.8: 122 custom bits, here of SHA-256).
 * For callers that may retry and name each call uniquely: one call is one message.
 */
export function messageIdFor(seed: string): string {
  const bytes = createHash('sha256').update(`message:${seed}`).digest().subarray(0, 16)
  bytes[6] = (bytes[6]! & 0x0f) | 0x80
  bytes[8] = (bytes[8]! & 0x3f) | 0x80
  return stringify(bytes)
}
