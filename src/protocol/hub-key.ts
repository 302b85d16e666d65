import { createHash, type KeyObject } from 'node:crypto'
import * as z from 'zod'

/**
 * The fingerprint of a hub's public key in the form of curl(1)'s `pinnedpubkey`: `sha256//` and the base64 of the SHA-256 of the
 * key's SubjectPublicKeyInfo (RFC 7469, section 2.4). It contains no character that is special inside shell quotes.
 */
export const hubKeyPattern = /^sha256\/\/[A-Za-z0-9+/]{43}=$/

export const HubKey = z
  .string()
  .regex(hubKeyPattern, "a hub's key looks like sha256//…=, as `claude-net invite` prints it")
export type HubKey = z.output<typeof HubKey>

/** Returns the fingerprint of a public key. */
export function hubKeyOf(publicKey: KeyObject): HubKey {
  return hubKeyOfSpki(publicKey.export({ type: 'spki', format: 'der' }))
}

/** Returns the fingerprint of a public key in the form of its SubjectPublicKeyInfo in DER. */
function hubKeyOfSpki(spki: Uint8Array): HubKey {
  return `sha256//${createHash('sha256').update(spki).digest('base64')}`
}
