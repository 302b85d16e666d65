import { createPublicKey, type KeyObject, sign, verify } from 'node:crypto'
import * as z from 'zod'
import { HubKey, hubKeyOf } from './hub-key.ts'
import { Timestamp } from './messages.ts'

/** Maximum number of links in a chain: a machine that has missed more rotations must join again. */
export const maxKeyLinks = 64

/** A hub's statement that its key `from` (SubjectPublicKeyInfo, DER in base64) was replaced by `to`, signed by `from` (ECDSA, SHA-256, DER in base64). */
export const KeyLink = z.object({
  from: z.string().max(1000),
  to: HubKey,
  at: Timestamp,
  signature: z.string().max(1000),
})
export type KeyLink = z.infer<typeof KeyLink>

/** The key of a hub, and the links from its earlier keys to it, oldest first. */
export const KeyChain = z.object({ hubKey: HubKey, links: z.array(KeyLink).max(maxKeyLinks) })
export type KeyChain = z.infer<typeof KeyChain>

/** The key of a hub as its admin sees it. `madeAt` is null for the admin's own key, and for one made before this time was recorded. */
export const KeyAnswer = KeyChain.extend({
  madeAt: Timestamp.nullable(),
  /** Whether the key comes from the files that `tls` in hub.json names: the hub cannot replace it. */
  isOwn: z.boolean(),
})
export type KeyAnswer = z.infer<typeof KeyAnswer>

/** `compromised` means that the old key may be in the wrong hands: it then signs no link. */
export const RotateKeyRequest = z.strictObject({ compromised: z.boolean().default(false) })

/** `mustJoin` lists the machines that cannot follow the change and must join again. */
export const RotateKeyAnswer = KeyAnswer.extend({ before: HubKey, mustJoin: z.array(z.string()) })
export type RotateKeyAnswer = z.infer<typeof RotateKeyAnswer>

/** Returns the link from the key `privateKey` to the key `to`. */
export function signKeyLink(privateKey: KeyObject, to: HubKey, at: string): KeyLink {
  const publicKey = createPublicKey(privateKey)
  const from = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
  const signature = sign('sha256', linkText(hubKeyOf(publicKey), to, at), privateKey).toString('base64')
  return { from, to, at, signature }
}

/**
 * Verifies by `links` that the hub with the key `pinned` now has the key `found`: starting with the link of `pinned`, each one continues
 * the previous one, is signed by the key that it replaces, and leads to a key that has not occurred before; the last leads to `found`.
 * Throws an error that describes the fault.
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
      throw new Error('a link of its chain of keys is not signed by the key that it replaces')
    }
    if (seen.has(to)) throw new Error('its chain of keys is a circle')
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
    // Reported below.
  }
  throw new Error('its chain of keys contains something other than a key')
}

function isSigned(key: KeyObject, text: Buffer, signature: string): boolean {
  try {
    return verify('sha256', text, key, Buffer.from(signature, 'base64'))
  } catch {
    return false
  }
}
