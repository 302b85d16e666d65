import type { Socket } from 'node:net'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import type { ClaudeNetError } from '../../protocol/errors.ts'
import { readHubConfig } from '../config/hub-config.ts'
import { Connections } from './connections.ts'
import { Network } from './network.ts'

const relay = '10.0.3.7'
const proxy = '10.0.3.8'

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'performance'] }))
afterEach(() => void vi.useRealTimers())

function setUp(limits: object) {
  const { limits: defaults } = readHubConfig({})
  const network = new Network({ trustedNetworks: [], trustedProxies: [proxy] })
  const connections = new Connections({ limits: { ...defaults!, ...limits }, network })
  const open = (remoteAddress: string) => {
    const fake = { remoteAddress, destroyed: false, destroy: () => (fake.destroyed = true) }
    const socket = fake as unknown as Socket
    connections.opened(socket)
    return socket
  }
  const openMany = (address: string, count: number) => Array.from({ length: count }, () => open(address))
  const ask = (socket: Socket) => connections.asked(socket)()
  return { connections, open, openMany, ask }
}

const alive = (sockets: Socket[]) => sockets.filter(({ destroyed }) => !destroyed).length

describe('strangers', () => {
  const strangers = { connections: 20, perAddress: 5 }

  test('of one address keep only the newest connections up to its bound; other addresses are not affected', () => {
    const { open, openMany, ask } = setUp({ strangers })
    const other = open('10.0.3.2')
    ask(other)
    const many = openMany(relay, 12)
    many.forEach(ask)
    vi.advanceTimersByTime(1000)
    expect(many.map(({ destroyed }) => destroyed)).toEqual([...Array(7).fill(true), ...Array(5).fill(false)])
    expect(other.destroyed).toBe(false)
  })

  test('of all addresses share a pool; a /64 counts as one address', () => {
    const { connections, open, openMany, ask } = setUp({ strangers })
    const many = Array.from({ length: 30 }, (_, n) => open(`10.0.4.${n}`))
    many.forEach(ask)
    vi.advanceTimersByTime(1000)
    expect(alive(many)).toBe(20)
    expect(alive(many.slice(0, 10))).toBe(0)
    const site = [...openMany('2001:db8::1', 4), ...openMany('2001:db8::2', 4)]
    site.forEach(ask)
    vi.advanceTimersByTime(1000)
    expect(alive(site)).toBe(5)
    expect(connections.counts).toEqual({ known: 0, strangers: 20 })
  })

  test('that send nothing have 2 s to show a token, and are closed afterwards', () => {
    const { openMany } = setUp({ strangers })
    const silent = openMany(relay, 12)
    vi.advanceTimersByTime(1500)
    expect(alive(silent)).toBe(12)
    vi.advanceTimersByTime(1000)
    expect(alive(silent)).toBe(5)
  })

  test('with an open request are closed last', () => {
    const { connections, openMany, ask } = setUp({ strangers })
    const [busy, ...idle] = openMany(relay, 8)
    connections.asked(busy!)
    idle.forEach(ask)
    vi.advanceTimersByTime(1000)
    expect(busy!.destroyed).toBe(false)
    expect(alive(idle)).toBe(4)
  })

  test('that arrive in a flood are closed at once, those of the address with the most first', () => {
    const { open, openMany } = setUp({ strangers })
    const other = open('10.0.3.2')
    const flood = openMany(relay, 1000)
    expect(alive(flood)).toBeLessThanOrEqual(8 * 20)
    expect(other.destroyed).toBe(false)
    expect(flood.at(-1)!.destroyed).toBe(false)
  })

  test('behind a trusted proxy have no bound per address', () => {
    const { openMany, ask } = setUp({ strangers })
    const many = openMany(proxy, 12)
    many.forEach(ask)
    vi.advanceTimersByTime(5000)
    expect(alive(many)).toBe(12)
  })
})

describe('connections with a token', () => {
  test('do not count for their address: a thousand of them behind one relay stay open, even if they connect at once', () => {
    const { connections, openMany } = setUp({})
    const many = openMany(relay, 1000)
    many.forEach((socket, n) => {
      connections.proved(socket, `token${n % 100}`)
    })
    vi.advanceTimersByTime(10_000)
    expect(alive(many)).toBe(1000)
    expect(connections.counts).toEqual({ known: 1000, strangers: 0 })
  })

  test('are bounded per token: an idle one is closed to make room, and without one the next is refused', () => {
    const { connections, open } = setUp({ connectionsPerToken: 2 })
    const [first, second, third, fourth] = Array.from({ length: 4 }, () => open(relay))
    const end = connections.asked(first!)
    connections.proved(first!, 'a')
    connections.proved(second!, 'a')
    connections.asked(third!)
    connections.proved(third!, 'a')
    expect([first!.destroyed, second!.destroyed]).toEqual([false, true])
    expect(() => connections.proved(fourth!, 'a')).toThrow('This token has 2 connections open')
    connections.proved(fourth!, 'b')
    end()
    connections.proved(fourth!, 'a')
    expect([first!.destroyed, fourth!.destroyed]).toEqual([true, false])
  })

  test('are bounded in total', () => {
    const { connections, openMany } = setUp({ connections: 2 })
    const [first, second, third] = openMany(relay, 3)
    connections.asked(first!)
    connections.proved(first!, 'a')
    connections.proved(second!, 'b')
    connections.asked(third!)
    connections.proved(third!, 'c')
    expect([first!.destroyed, second!.destroyed]).toEqual([false, true])
    const fourth = openMany(relay, 1)[0]!
    const refused = (() => {
      try {
        connections.proved(fourth, 'd')
      } catch (error) {
        return error as ClaudeNetError
      }
    })()
    expect(refused).toMatchObject({ code: 'unavailable' })
  })

  test('are strangers again when their token is revoked', () => {
    const { connections, openMany } = setUp({ strangers: { connections: 20, perAddress: 5 } })
    const many = openMany(relay, 12)
    for (const socket of many) {
      connections.asked(socket)()
      connections.proved(socket, 'a')
    }
    vi.advanceTimersByTime(10_000)
    expect(alive(many)).toBe(12)
    connections.revoked('a')
    vi.advanceTimersByTime(1000)
    expect(alive(many)).toBe(5)
    expect(connections.counts).toEqual({ known: 0, strangers: 5 })
  })
})

test('a closed connection no longer counts', () => {
  const { connections, openMany } = setUp({})
  const [known, stranger] = openMany(relay, 2)
  connections.proved(known!, 'a')
  for (const socket of [known!, known!, stranger!]) connections.closed(socket)
  expect(connections.counts).toEqual({ known: 0, strangers: 0 })
})
