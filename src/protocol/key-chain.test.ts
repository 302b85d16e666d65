import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { expect, test } from 'vitest'
import { hubKeyOf } from './hub-key.ts'
import { type KeyLink, maxKeyLinks, proveKeyChange, signKeyLink } from './key-chain.ts'

const at = '2026-11-26T12:00:00.000Z'

function newKey() {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return { privateKey, key: hubKeyOf(publicKey) }
}

/** Keys, and the links from each to the next. */
function chainOf(length: number) {
  const keys = Array.from({ length: length + 1 }, newKey)
  const links = keys.slice(1).map(({ key }, n) => signKeyLink(keys[n]!.privateKey, key, at))
  return { keys, links, key: (n: number) => keys.at(n)!.key }
}

const { keys, links, key } = chainOf(4)
const [stranger, other] = [newKey(), newKey()]
const link = (from: { privateKey: KeyObject }, to: { key: string }) => signKeyLink(from.privateKey, to.key, at)

test('a chain leads from any earlier key to the last, over one rotation or several', () => {
  for (const start of [0, 1, 2, 3]) expect(() => proveKeyChange(links, key(start), key(-1))).not.toThrow()
  expect(() => proveKeyChange(links.slice(0, 1), key(0), key(1))).not.toThrow()
})

test.for([
  ['a link signed by another key', links.with(2, { ...link(stranger, keys[3]!), from: links[2]!.from }), 0, -1],
  ['a link whose target was changed', links.with(3, { ...links[3]!, to: stranger.key }), 0, undefined],
  ['a link whose time was changed', links.with(0, { ...links[0]!, at: '2027-01-01T00:00:00.000Z' }), 0, -1],
  ['a signature that is none', links.with(1, { ...links[1]!, signature: 'AAAA' }), 0, -1],
  ['a gap', [links[0]!, links[2]!, links[3]!], 0, -1],
  ['links in another order', [links[0]!, links[2]!, links[1]!, links[3]!], 0, -1],
  ['a circle', [links[0]!, link(keys[1]!, keys[0]!)], 0, 0],
  ['a circle behind the start', [...links, link(keys[4]!, keys[2]!)], 1, 2],
  ['a link to itself', [link(keys[0]!, keys[0]!)], 0, 0],
  ['an end at another key than the connection has', links, 0, undefined],
  ['an end behind the key that the connection has', links, 0, 2],
  ['no link at all', [], 0, -1],
  ['a key that is none', [{ ...links[0]!, from: 'AAAA' }, ...links.slice(1)], 0, -1],
] as [string, KeyLink[], number, number | undefined][])('%s proves nothing', ([, chain, pinned, found]) => {
  expect(() => proveKeyChange(chain, key(pinned), found === undefined ? stranger.key : key(found))).toThrow(
    'its chain of keys',
  )
})

test('an earlier chain cannot lead back to a replaced key, even if that key was stolen', () => {
  // A holder of key 1 has the chain 0 → 1, and can sign anything with key 1.
  const forged = [...links.slice(0, 1), link(keys[1]!, other)]
  for (const pinned of [2, 3, 4])
    for (const [chain, found] of [
      [links.slice(0, 1), key(1)],
      [links, key(1)],
      [forged, other.key],
      [[link(keys[1]!, keys[pinned]!), link(keys[1]!, other)], other.key],
    ] as const)
      expect(() => proveKeyChange(chain, key(pinned), found)).toThrow('its chain of keys')
})

test('a link that claims to replace the pinned key but is signed by another is rejected', () => {
  const text = `claude-net hub key, version 1\n${key(1)}\n${other.key}\n${at}\n`
  const { from } = link(stranger, other)
  const signature = sign('sha256', Buffer.from(text), stranger.privateKey).toString('base64')
  const forged = { from, to: other.key, at, signature }
  expect(() => proveKeyChange([links[0]!, forged], key(0), other.key)).toThrow('its chain of keys has a gap')
  // The signed text is part of the protocol.
  const right = sign('sha256', Buffer.from(text), keys[1]!.privateKey).toString('base64')
  const own = { ...forged, from: links[1]!.from, signature: right }
  expect(() => proveKeyChange([links[0]!, own], key(0), other.key)).not.toThrow()
})

test('a chain has at most 64 links', () => {
  const long = chainOf(maxKeyLinks + 1)
  expect(() => proveKeyChange(long.links.slice(1), long.key(1), long.key(-1))).not.toThrow()
  expect(() => proveKeyChange(long.links, long.key(0), long.key(-1))).toThrow('more than 64 links')
})

test('a key of another type proves nothing', () => {
  const { publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
  const from = publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
  expect(() => proveKeyChange([{ ...links[0]!, from }], hubKeyOf(publicKey), key(1))).toThrow(
    'something other than a key',
  )
})
