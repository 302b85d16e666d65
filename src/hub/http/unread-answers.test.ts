import type { Socket } from 'node:net'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { readHubConfig } from '../config/hub-config.ts'
import { measured, UnreadAnswers } from './unread-answers.ts'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }))
afterEach(() => void vi.useRealTimers())

const kib = 1024

function setUp({ perToken = 100 * kib, all = 1000 * kib, answerMs = 30_000 } = {}) {
  const { limits, timeouts } = readHubConfig({})
  return new UnreadAnswers({
    limits: { ...limits!, unreadBytes: all, unreadBytesPerToken: perToken },
    timeouts: { ...timeouts, answerMs },
  })
}

function connection(): Socket {
  const destroy = () => (socket.destroyed = true)
  const socket = { destroyed: false, destroy, resetAndDestroy: destroy }
  return socket as unknown as Socket
}

test('a client with too much unread is refused until it has read some; others are not affected', () => {
  const unread = setUp()
  const socket = connection()
  unread.wrote(socket, 'a', 60 * kib)
  unread.check('a')
  unread.wrote(socket, 'a', 60 * kib)
  expect(() => unread.check('a')).toThrow('You have 122880 bytes of earlier answers to read')
  unread.check('b')
  unread.read(socket)
  unread.check('a')
  unread.read(socket)
  expect(unread.bytes).toBe(0)
})

test('connections of one client are reset above twice the bound, the longest waiting first', () => {
  const unread = setUp()
  const sockets = Array.from({ length: 10 }, connection)
  for (const socket of sockets) unread.wrote(socket, 'a', 50 * kib)
  expect(sockets.map(({ destroyed }) => destroyed)).toEqual([...Array(6).fill(true), ...Array(4).fill(false)])
  expect(unread.bytes).toBe(200 * kib)
})

test('above the bound for all, connections of the client with the most unread bytes are reset', () => {
  const unread = setUp({ all: 200 * kib, perToken: 150 * kib })
  const [small, ...large] = Array.from({ length: 4 }, connection)
  unread.wrote(small!, 'small', 50 * kib)
  for (const socket of large) unread.wrote(socket, 'large', 70 * kib)
  expect(small!.destroyed).toBe(false)
  expect(large.map(({ destroyed }) => destroyed)).toEqual([true, false, false])
  expect(unread.bytes).toBe(190 * kib)
})

test('a connection whose response is not read in time is reset; the time of the next response starts when the one before was read', () => {
  const unread = setUp()
  const [unreading, slow] = [connection(), connection()]
  for (const socket of [unreading, slow]) for (const bytes of [kib, kib]) unread.wrote(socket, 'a', bytes)
  vi.advanceTimersByTime(29_000)
  expect(unreading.destroyed).toBe(false)
  unread.read(slow)
  vi.advanceTimersByTime(7000)
  expect([unreading.destroyed, slow.destroyed]).toEqual([true, false])
  vi.advanceTimersByTime(30_000)
  expect(slow.destroyed).toBe(true)
  expect(unread.bytes).toBe(0)
})

test('a stream stays open while it is read, and is reset when reading stops', () => {
  const unread = setUp()
  const stream = connection()
  unread.wrote(stream, 'a', 100)
  for (let n = 0; n < 20; n++) {
    unread.wrote(stream, 'a', 100)
    vi.advanceTimersByTime(15_000)
    unread.read(stream)
  }
  expect(stream.destroyed).toBe(false)
  vi.advanceTimersByTime(40_000)
  expect(stream.destroyed).toBe(true)
})

test('a closed connection counts no bytes, even if a response is written to it afterwards', () => {
  const unread = setUp()
  const socket = connection()
  unread.wrote(socket, 'a', 100)
  unread.closed(socket)
  socket.destroy()
  unread.wrote(socket, 'a', 100)
  expect(unread.bytes).toBe(0)
})

test.each<[unknown, number]>([
  [undefined, 512],
  ['x', 513],
  ['ü'.repeat(10_000), 20_512],
  [Buffer.alloc(1000), 1512],
  [{ pipe: () => {} }, 512 + 64 * kib],
])('%j is measured', (payload, bytes) => {
  expect(measured(payload)[0]).toBe(bytes)
})
