import { expect, test } from 'vitest'
import { isSamePlace, placeInWords, takeHandedSockets } from './handed-sockets.ts'

test.for([
  [{ LISTEN_PID: '7', LISTEN_FDS: '1' }, [3]],
  [{ LISTEN_PID: '7', LISTEN_FDS: '3', LISTEN_FDNAMES: 'a:b:c' }, [3, 4, 5]],
  // For another process: a parent was started by systemd, and its environment was passed on.
  [{ LISTEN_PID: '8', LISTEN_FDS: '1' }, []],
  [{ LISTEN_FDS: '1' }, []],
  [{ LISTEN_PID: '7' }, []],
  [{ LISTEN_PID: '7', LISTEN_FDS: '0' }, []],
  [{ LISTEN_PID: '7', LISTEN_FDS: '-1' }, []],
  [{ LISTEN_PID: '7', LISTEN_FDS: 'x' }, []],
  [{}, []],
] as [NodeJS.ProcessEnv, number[]][])(
  'with %j the descriptors are %j, and the environment no longer names them',
  ([env, fds]) => {
    const mine = { ...env, PATH: '/bin' }
    expect(takeHandedSockets(mine, 7)).toEqual(fds)
    expect(mine).toEqual({ PATH: '/bin' })
  },
)

test.for([
  ['0.0.0.0', '0.0.0.0', true],
  ['::', '[::]', true],
  ['localhost', '::1', true],
  ['localhost', '127.0.0.1', true],
  ['127.0.0.1', '0.0.0.0', false],
  ['fd00::A', 'fd00::a', true],
] as const)('a hub for %s would listen at %s: %j', ([host, at, same]) => {
  expect(isSamePlace({ host, port: 3500 }, { host: at, port: 3500 })).toBe(same)
  expect(isSamePlace({ host, port: 3500 }, { host: at, port: 3501 })).toBe(false)
})

test('an address and port are formatted as in a URL', () => {
  expect([
    placeInWords({ host: '0.0.0.0', port: 1 }),
    placeInWords({ host: '::', port: 2 }),
    placeInWords({ host: '[::1]', port: 3 }),
  ]).toEqual(['0.0.0.0:1', '[::]:2', '[::1]:3'])
})
