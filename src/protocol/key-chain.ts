import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import * as z from 'zod'
import { HubKey, hubKeyOf } from './hub-key.ts'
import { Timestamp } from './messages.ts'

/** Most links of a chain: a machine that slept through more rotations must join anew. */
export const maxKeyLinks = 64

/** A hub's word that its key `from` (SubjectPublicKeyInfo, DER in base64) gave way to `to`: a signature by `from` (ECDSA, SHA-256, DER in base64). */
export const KeyLink = z.object({
  from: z.string().max(1000),
  to: HubKey,
  at: Timestamp,
  signature: z.string().max(1000),
})
export type KeyLink = z.infer<typeof KeyLink>

/** The key of a hub, and how it came to it from earlier ones, the oldest link first. */
export const KeyChain = z.object({ hubKey: HubKey, links: z.array(KeyLink).max(maxKeyLinks) })
export type KeyChain = z.infer<typeof KeyChain>

/** The key of a hub as its admin sees it. `madeAt` is null for a key of before that was written down, or of the admin's own. */
export const KeyAnswer = KeyChain.extend({
  madeAt: Timestamp.nullable(),
  /** Whether the key is of the files that `tls` of hub.json names: the hub cannot replace it. */
  isOwn: z.boolean(),
})
export type KeyAnswer = z.infer<typeof KeyAnswer>

/** Whether the key of before may be in wrong hands: then it vouches for nothing. */
export const RotateKeyRequest = z.strictObject({ compromised: z.boolean().default(false) })

/** `mustJoin` are the machines that cannot follow by themselves. */
export const RotateKeyAnswer = KeyAnswer.extend({ before: HubKey, mustJoin: z.array(z.string()) })
export type RotateKeyAnswer = z.infer<typeof RotateKeyAnswer>

/** The link from the key `privateKey` to the key `to`. */
export function signKeyLink(privateKey: KeyObject, to: HubKey, at: string): KeyLink {
  const publicKey = createPublicKey(privateKey)
  const from = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
  const signature = sign('sha256', linkText(hubKeyOf(publicKey), to, at), privateKey).toString('base64')
  return { from, to, at, signature }
}

/**
 * Proves by `links` that the hub of the key `pinned` has the key `found` now: from the link of `pinned` on each one follows the one
 * before, is signed by the key that it leaves, and leads to a key that was not there yet; the last leads to `found`. Throws an error
 * that says what is wrong.
 */
export function proveKeyChange(links: readonly KeyLink[], pinned: HubKey, found: HubKey): void {
  if (links.length > maxKeyLinks) throw new Error(`its chain of keys has more than ${maxKeyLinks} links`)
  const keys = links.map(({ from }) => readKey(from))
  const start = keys.findIndex(key => hubKeyOf(key) === pinned)
  if (start === -1) throw new Error('its chain of keys has no link from the key that this machine knows')
  let current = pinned
  const seen = new Set([pinned])
  for (const [index, { to, at, signature }] of links.entries()) {
    if (index < start) continue
    const key = keys[index]!
    if (hubKeyOf(key) !== current) throw new Error('its chain of keys has a gap')
    if (!isSigned(key, linkText(current, to, at), signature)) {
      throw new Error('a link of its chain of keys is not signed by the key that it leaves')
    }
    if (seen.has(to)) throw new Error('its chain of keys leads in a circle')
    seen.add(to)
    current = to
  }
  if (current !== found) throw new Error('its chain of keys leads to another key')
}

function linkText(from: HubKey, to: HubKey, at: string): Buffer {
  return Buffer.from(`claude-net hub key, version 1\n${from}\n${to}\n${at}\n`)
}

function readKey(spki: string): KeyObject {
  try {
    const key = createPublicKey({ key: Buffer.from(spki, 'base64'), format: 'der', type: 'spki' })
    if (key.asymmetricKeyType === 'ec') return key
  } catch {
    // Said below.
  }
  throw new Error('its chain of keys has something else than a key in it')
}

function isSigned(key: KeyObject, text: Buffer, signature: string): boolean {
  try {
    return verify('sha256', text, key, Buffer.from(signature, 'base64'))
  } catch {
    return false
  }
}
