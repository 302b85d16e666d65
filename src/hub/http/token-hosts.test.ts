import { expect, test } from 'vitest'
import type { Identity } from '../auth/identify.ts'
import { TokenHosts } from './token-hosts.ts'

const sean: Identity = { member: 3, name: 'sean', role: 'machine', tokenId: 'abc' }
const [one, other] = ['0123456789abcdef ct101', 'fedcba9876543210 ct102']

function setUp() {
  const clock = { now: 0 }
  const reported: (readonly string[])[] = []
  const tokenHosts = new TokenHosts({ onShared: (_, __, hosts) => reported.push(hosts), monotonic: () => clock.now })
  /** Records requests in this order, 5 s apart, each given as `address` or `[address, header]`. */
  const see = (...requests: (string | [address: string, header: string])[]) => {
    for (const request of requests) {
      const [address, header] = [request].flat() as [string, string | undefined]
      tokenHosts.saw(sean, address, header)
      clock.now += 5000
    }
  }
  return { clock, reported, tokenHosts, see }
}

test('two hosts in turn are reported with their names and addresses, once an hour at most', () => {
  const { clock, reported, tokenHosts, see } = setUp()
  const turns = () => see(['10.0.3.7', one], ['10.0.3.9', other], ['10.0.3.7', one], ['10.0.3.9', other])
  turns()
  turns()
  expect(reported).toEqual([['ct101 (10.0.3.7)', 'ct102 (10.0.3.9)']])
  expect(tokenHosts.sharedTokens(3)).toMatchObject([{ member: 3, hosts: reported[0] }])
  expect(tokenHosts.sharedTokens(4)).toEqual([])
  clock.now += 3_600_000
  turns()
  expect(reported).toHaveLength(2)
})

test('hosts behind one address, as through SSH, are distinguished by their header; loopback without it identifies no host', () => {
  const { reported, see } = setUp()
  see('127.0.0.1', '10.0.3.7', '127.0.0.1', '10.0.3.7', '::1', '10.0.3.7')
  expect(reported).toEqual([])
  see(['127.0.0.1', one], ['127.0.0.1', other], ['127.0.0.1', one])
  expect(reported).toEqual([['ct101 (127.0.0.1)', 'ct102 (127.0.0.1)']])
})

test('a machine that moves to another address, or uses two, is one host', () => {
  const { reported, see } = setUp()
  see('10.0.3.7', '10.0.3.7', '10.0.3.8', '10.0.3.8')
  see(['10.0.3.7', one], ['10.0.3.8', one], ['10.0.3.7', one], '10.0.3.8', '10.0.3.7')
  expect(reported).toEqual([])
})

test('two addresses in turn without a host header are reported, unless the first returns only after a minute', () => {
  const { clock, reported, see } = setUp()
  see('10.0.3.7', '10.0.3.9')
  clock.now += 60_000
  see('10.0.3.7')
  expect(reported).toEqual([])
  see('10.0.3.9', '10.0.3.7')
  expect(reported).toEqual([['10.0.3.7', '10.0.3.9']])
})

test('a malformed host header counts as none, and the number of hosts kept is bounded', () => {
  const { reported, see } = setUp()
  see(['10.0.3.7', 'x'.repeat(5000)], ['10.0.3.7', '<script>'], ['10.0.3.7', `${one}\u0000`])
  for (let n = 0; n < 1000; n++) see([`10.0.4.${n % 250}`, `${String(n).padStart(16, '0')} h`])
  expect(reported).toEqual([])
})
