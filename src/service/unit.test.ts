import { expect, test } from 'vitest'
import { socketUnit } from './unit.ts'

/** The lines of a socket unit that say where it listens. */
const listens = (host: string, port = 3500) => socketUnit({ host, port })?.match(/^(ListenStream|BindIPv6Only)=.*$/gm)

test.for([
  ['0.0.0.0', ['ListenStream=0.0.0.0:3500', 'BindIPv6Only=default']],
  ['10.0.3.1', ['ListenStream=10.0.3.1:3500', 'BindIPv6Only=default']],
  ['::', ['ListenStream=[::]:3500', 'BindIPv6Only=both']],
  ['fd00::1', ['ListenStream=[fd00::1]:3500', 'BindIPv6Only=default']],
  ['localhost', ['ListenStream=127.0.0.1:3500', 'ListenStream=[::1]:3500', 'BindIPv6Only=default']],
] as const)('systemd holds the port of a hub that listens on %s', ([host, lines]) => {
  expect(listens(host)).toEqual(lines)
  expect(socketUnit({ host, port: 3500 })).toContain('\nTriggerLimitIntervalSec=0\n')
})

test('it holds no port of a name that may change its address, and none that the system chooses', () => {
  expect([listens('hub.lan'), listens('0.0.0.0', 0)]).toEqual([undefined, undefined])
})
