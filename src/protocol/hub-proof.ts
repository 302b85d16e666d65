import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import * as z from 'zod'
import type { HubKey } from './hub-key.ts'

/** 32 random bytes in base64. */
const Nonce = z.string().regex(/^[A-Za-z0-9+/]{43}=$/, 'must be 32 bytes in base64')

export const ProofRequest = z.strictObject({
  /** The public part of the caller's token. */
  tokenId: z.string().regex(/^[0-9A-Za-z]{8}$/, 'must be the public part of a token: 8 letters and digits'),
  nonce: Nonce,
})
export const ProofAnswer = z.object({ nonce: Nonce, proof: z.string() })

/** The connection for which a proof is valid. */
export interface ProvenConnection {
  clientNonce: string
  hubNonce: string
  /** The key that the hub's side of the TLS connection has proven. A man in the middle has another one. */
  hubKey: HubKey
}

export function newNonce(): string {
  return randomBytes(32).toString('base64')
}

/**
 * Returns the proof that only a hub with the stored token can compute: HMAC-SHA-256, in base64, keyed by the SHA-256 of the token. It
 * does not reveal the hash, and is valid for this connection alone: for the nonces of both sides and the key that the client saw.
 */
export function hubProof(tokenHash: Uint8Array, { clientNonce, hubNonce, hubKey }: ProvenConnection): string {
  const about = `claude-net hub proof 1\n${clientNonce}\n${hubNonce}\n${hubKey}`
  return createHmac('sha256', tokenHash).update(about).digest('base64')
}

/** Compares two proofs in constant time. */
export function isSameProof(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.byteLength === other.byteLength && timingSafeEqual(one, other)
}
