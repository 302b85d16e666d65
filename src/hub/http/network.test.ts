import type { IncomingMessage } from 'node:http'
import { describe, expect, test } from 'vitest'
import { readHubConfig } from '../config/hub-config.ts'
import { clientGroup, Network } from './network.ts'

const defaults = readHubConfig({})

function request(remoteAddress: string, forwarded?: string): IncomingMessage {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded }
  return { socket: { remoteAddress }, headers } as unknown as IncomingMessage
}

describe('without settings', () => {
  const network = new Network(defaults)

  test.each([
    '127.0.0.1',
    '127.9.9.9',
    '10.0.3.1',
    '10.255.255.255',
    '172.16.0.1',
    '172.31.255.255',
    '192.168.1.1',
    '100.64.0.1',
    '100.127.255.255',
    '169.254.1.1',
    '::1',
    'fe80::1',
    'fe80::1%eth0',
    'febf::1',
    'fd00::1',
    'fc00::1',
    '::ffff:10.0.3.1',
    '::FFFF:127.0.0.1',
  ])('%s is allowed', address => {
    expect(network.isAllowed(request(address))).toBe(true)
  })

  test.each([
    '8.8.8.8',
    '9.255.255.255',
    '11.0.0.0',
    '172.15.255.255',
    '172.32.0.0',
    '192.167.255.255',
    '192.169.0.0',
    '100.63.255.255',
    '100.128.0.0',
    '128.0.0.1',
    '169.255.0.0',
    '0.0.0.0',
    '::',
    '::2',
    'fec0::1',
    'fbff::1',
    'fe00::1',
    '2001:db8::1',
    '::ffff:8.8.8.8',
    '::10.0.3.1',
    '64:ff9b::10.0.3.1',
    '',
    'localhost',
  ])('%s is refused', address => {
    expect(network.isAllowed(request(address))).toBe(false)
  })
})

describe('behind a proxy', () => {
  const network = new Network({
    trustedNetworks: ['10.0.0.0/8'],
    trustedProxies: ['192.0.2.1', '192.0.2.128/25', '2001:db8::/32'],
  })

  test.each<[string, string | undefined, string]>([
    ['192.0.2.1', undefined, '192.0.2.1'],
    ['192.0.2.1', '8.8.8.8', '8.8.8.8'],
    ['192.0.2.1', '10.0.0.1, 8.8.8.8', '8.8.8.8'],
    ['192.0.2.1', '8.8.8.8, 192.0.2.200', '8.8.8.8'],
    ['192.0.2.1', '7.7.7.7, 8.8.8.8 ,192.0.2.200,  2001:db8::5', '8.8.8.8'],
    ['192.0.2.1', '8.8.8.8, ::ffff:192.0.2.200', '8.8.8.8'],
    ['192.0.2.1', '::ffff:8.8.8.8', '8.8.8.8'],
    ['192.0.2.1', '2001:470::1', '2001:470::1'],
    ['192.0.2.1', '192.0.2.200', '192.0.2.1'],
    ['192.0.2.1', '8.8.8.8, unknown', '192.0.2.1'],
    ['192.0.2.1', '', '192.0.2.1'],
    ['2001:db8::1', '8.8.8.8', '8.8.8.8'],
    ['::ffff:192.0.2.1', '8.8.8.8', '8.8.8.8'],
  ])('a request that the proxy %s forwards for "%s" comes from %s', (peer, forwarded, client) => {
    expect(network.isAllowed(request(peer, forwarded))).toBe(true)
    expect(network.clientOf(request(peer, forwarded))).toBe(client)
  })

  test.each([
    ['10.0.0.1', '8.8.8.8', true],
    ['192.0.2.2', '10.0.0.1', false],
    ['8.8.8.8', '192.0.2.1', false],
    ['::ffff:8.8.8.8', '10.0.0.1', false],
  ])('%s is no trusted proxy, so its X-Forwarded-For of %s is ignored', (peer, forwarded, isAllowed) => {
    expect(network.isAllowed(request(peer, forwarded))).toBe(isAllowed)
    expect(network.clientOf(request(peer, forwarded))).toBe(peer.replace('::ffff:', ''))
  })
})

test.each([
  ['8.8.8.8', '8.8.8.8'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2::/64'],
  ['2001:0DB8:0001:0002::1', '2001:db8:1:2::/64'],
  ['2001:db8::2:0:0:0:1', '2001:db8:0:2::/64'],
  ['2001:db8::1', '2001:db8:0:0::/64'],
  ['::1', '0:0:0:0::/64'],
  ['1::', '1:0:0:0::/64'],
  ['64:ff9b::8.8.8.8', '64:ff9b:0:0::/64'],
  ['1:2:3:4:5:6:8.8.8.8', '1:2:3:4::/64'],
  ['unknown', 'unknown'],
])('limits count %s as %s', (address, group) => {
  expect(clientGroup(address)).toBe(group)
})

test.each([
  ['192.0.2.1', 'https', 'https'],
  ['192.0.2.1', 'http, HTTPS', 'https'],
  ['192.0.2.1', 'https, http', 'http'],
  ['192.0.2.1', undefined, 'http'],
  ['8.8.8.8', 'https', 'http'],
])('a request from %s with X-Forwarded-Proto %s counts as %s', (peer, said, protocol) => {
  const network = new Network({ ...defaults, trustedProxies: ['192.0.2.0/24'] })
  const headers = { 'x-forwarded-proto': said }
  expect(network.protocolOf({ socket: { remoteAddress: peer }, headers } as unknown as IncomingMessage)).toBe(protocol)
})

test.each([
  ['trustedNetworks', '10.0.0.0/33'],
  ['trustedNetworks', '10.0.0/8'],
  ['trustedNetworks', 'fd00::/129'],
  ['trustedNetworks', '10.0.0.0/'],
  ['trustedNetworks', '10.0.0.0/8/8'],
  ['trustedNetworks', 'private'],
  ['trustedNetworks', ''],
  ['trustedProxies', '10.0.0.1:80'],
])('%s rejects "%s"', (field, value) => {
  expect(() => readHubConfig({ ...{ [field]: ['10.0.0.0/8', value] } })).toThrow(`${field}.1: not a range of addresses`)
})
