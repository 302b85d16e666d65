import { expect, test } from 'vitest'
import { bareName, hostNameOf, likelyOrigins } from './hub-address.ts'

test.each([
  ['10.0.3.1:3500', '10.0.3.1'],
  ['[::1]:3500', '::1'],
  ['Hub.LAN', 'hub.lan'],
  ['my_hub:3500', 'my_hub'],
  ['hub.lan.:3500', 'hub.lan'],
  ['localhost.', 'localhost'],
  ['.', '.'],
  ['hub.lan..', 'hub.lan.'],
  ["hub'lan", undefined],
  ['hub lan', undefined],
  ['$(id)', undefined],
  ['hub:', undefined],
  ['::1', undefined],
  ['', undefined],
  [undefined, undefined],
])('the host of %j is %j', (host, name) => {
  expect(hostNameOf(host)).toBe(name)
})

test('names in hub.json and in headers are compared in the same form', () => {
  expect(bareName('My_Hub.lan.')).toBe(hostNameOf('my_hub.LAN:3500'))
})

test('the addresses of a hub begin with the bridge of the host and omit those that others cannot use', () => {
  const own = [
    { address: '127.0.0.1', family: 'IPv4', internal: true },
    { address: 'fd00::1', family: 'IPv6', internal: false },
    { address: '192.168.1.7', family: 'IPv4', internal: false },
    { address: '10.0.3.1', family: 'IPv4', internal: false },
  ]
  expect(likelyOrigins(own, 3500)).toEqual(['http://10.0.3.1:3500', 'http://192.168.1.7:3500'])
})
