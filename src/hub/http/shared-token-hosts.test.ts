import { expect, onTestFinished, test, vi } from 'vitest'
import { MemoryBoard } from '../../../test/support/memory-board.ts'
import type { Identity } from '../auth/identify.ts'
import { SharedTokenHosts } from './shared-token-hosts.ts'
import { TokenHosts } from './token-hosts.ts'

const sean: Identity = { member: 3, name: 'sean', role: 'machine', tokenId: 'abc' }
const [one, other] = ['0123456789abcdef ct101', 'fedcba9876543210 ct102']

/** Starts hubs that share a board; `reported` of each contains the warnings that it raised. */
function start(names: string[]) {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] })
  onTestFinished(() => void vi.useRealTimers())
  const shared = new MemoryBoard()
  const hubs = names.map(name => {
    const reported: (readonly string[])[] = []
    const tokenHosts = new TokenHosts({
      onShared: (_, __, hosts) => reported.push(hosts),
      monotonic: () => performance.now(),
    })
    new SharedTokenHosts(shared.connect(name), tokenHosts)
    return { tokenHosts, reported }
  })
  return { shared, hubs, pass: (ms: number) => vi.advanceTimersByTimeAsync(ms) }
}

test('a token used from two hosts at two hubs is detected, and shown at each hub', async () => {
  const { hubs, pass } = start(['a', 'b', 'c'])
  const [a, b, c] = hubs as [(typeof hubs)[0], (typeof hubs)[0], (typeof hubs)[0]]
  for (let round = 0; round < 4; round++) {
    a.tokenHosts.saw(sean, '10.0.3.7', one)
    b.tokenHosts.saw(sean, '10.0.3.9', other)
    await pass(5000)
  }
  expect(a.reported).toEqual([['ct101 (10.0.3.7)', 'ct102 (10.0.3.9)']])
  for (const { tokenHosts } of [a, b, c])
    expect(tokenHosts.sharedTokens(3)).toMatchObject([{ member: 3, hosts: ['ct101 (10.0.3.7)', 'ct102 (10.0.3.9)'] }])
  expect(c.reported).toEqual([])
})

test('a machine that switches between hubs, or moves, counts as used from one host', async () => {
  const { hubs, shared, pass } = start(['a', 'b'])
  const [a, b] = hubs as [(typeof hubs)[0], (typeof hubs)[0]]
  for (let round = 0; round < 20; round++) {
    const { tokenHosts } = round % 2 === 0 ? a : b
    tokenHosts.saw(sean, '10.0.3.7', one)
    await pass(1000)
  }
  const puts = vi.spyOn(shared, 'set')
  for (let round = 0; round < 20; round++) {
    a.tokenHosts.saw(sean, '10.0.3.7', one)
    await pass(1000)
  }
  expect(puts).not.toHaveBeenCalled()
  b.tokenHosts.saw(sean, '10.0.5.1', other)
  await pass(61_000)
  a.tokenHosts.saw(sean, '10.0.3.7', one)
  await pass(1000)
  for (const { reported, tokenHosts } of [a, b]) expect([reported, tokenHosts.sharedTokens()]).toEqual([[], []])
})

test('malformed parts of what another hub publishes are ignored', async () => {
  const { shared, hubs, pass } = start(['a'])
  const [{ tokenHosts }] = hubs as [(typeof hubs)[0]]
  const fine = { tokenId: 'abc', member: 3, hosts: ['x', 'y'], at: Date.now() + 1e9, later: 1 }
  const odd = [
    null,
    7,
    { ...fine, hosts: ['\u001b[31m'] },
    { ...fine, hosts: Array(9).fill('x') },
    { ...fine, at: 'now' },
  ]
  for (const value of ['', 'null', '{}', '{"run":"r","moves":1,"shared":[]}']) shared.set('b/places', value)
  shared.set('b/places', JSON.stringify({ run: 'r', moves: [null, { n: 1, tokenId: 'abc' }], shared: [...odd, fine] }))
  expect(tokenHosts.sharedTokens()).toEqual([{ member: 3, hosts: ['x', 'y'], at: Date.now() }])
  await pass(1000)
})
