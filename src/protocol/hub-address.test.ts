import { expect, test } from 'vitest'
import { bareName, hostNameOf } from './hub-address.ts'

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

test('a name in hub.json and one in a header are compared in one form', () => {
  expect(bareName('My_Hub.lan.')).toBe(hostNameOf('my_hub.LAN:3500'))
})
