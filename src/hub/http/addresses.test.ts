import { expect, test } from 'vitest'
import { likelyOrigins } from '../../protocol/hub-address.ts'
import { addresses, interfaces } from './addresses.ts'
import { Network } from './network.ts'

const network = new Network({ trustedNetworks: ['10.0.0.0/8', 'fd00::/8'], trustedProxies: [] })
const at = (...places: [address: string, family: 'IPv4' | 'IPv6'][]) =>
  addresses(() => places.map(([address, family]) => ({ address, family, port: 3500 })), network)({} as never)

test('a hub that listens only on loopback has no address for others', () => {
  expect(at(['127.0.0.1', 'IPv4'], ['::1', 'IPv6'])).toEqual({ port: 3500, addresses: [] })
  expect(at()).toEqual({ port: null, addresses: [] })
})

test('all addresses at which the hub listens are listed, those in trusted networks first', () => {
  expect(at(['203.0.113.7', 'IPv4'], ['fd00::7', 'IPv6'])).toEqual({
    port: 3500,
    addresses: [
      { origin: 'http://[fd00::7]:3500', isTrusted: true },
      { origin: 'http://203.0.113.7:3500', isTrusted: false },
    ],
  })
})

test('a hub that listens everywhere lists each address of its host once', () => {
  const of = likelyOrigins(interfaces(), 3500)
  const { addresses: found } = at(['0.0.0.0', 'IPv4'], ['::', 'IPv6']) as { addresses: { origin: string }[] }
  expect(found.map(({ origin }) => origin).sort()).toEqual(of.sort())
})
