import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto'
import * as z from 'zod'
import type { HubKey } from './hub-key.ts'

/** 32 random bytes in base64. */
const Nonce = z.string().regex(/^[A-Za-z0-9+/]{43}=$/, 'it is 32 bytes in base64')

export const ProofRequest = z.strictObject({
  /** The public part of the caller's token. */
  tokenId: z.string().regex(/^[0-9A-Za-z]{8}$/, 'it is the public part of a token: 8 letters and digits'),
  nonce: Nonce,
})
export const ProofAnswer = z.object({ nonce: Nonce, proof: z.string() })

/** What a proof is about: this connection and no other. */
export interface ProvenConnection {
  clientNonce: string
  hubNonce: string
  /** The key that the hub's side of the TLS connection has proven. Who stands in between has another one. */
  hubKey: HubKey
}

export function newNonce(): string {
  return randomBytes(32).toString('base64')
}

/**
 * What only a hub that has stored a token can say: HMAC-SHA-256, in base64, keyed by the SHA-256 of the token. It tells nothing of the
 * hash, and is good for this connection alone: for the nonces of both sides, and for the key that the client saw.
 */
export function hubProof(tokenHash: Uint8Array, { clientNonce, hubNonce, hubKey }: ProvenConnection): string {
  const about = `claude-net hub proof 1\n${clientNonce}\n${hubNonce}\n${hubKey}`
  return createHmac('sha256', tokenHash).update(about).digest('base64')
}

/** Compares in a time that does not depend on where they differ. */
export function isSameProof(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)]
  return one.byteLength === other.byteLength && timingSafeEqual(one, other)
}
