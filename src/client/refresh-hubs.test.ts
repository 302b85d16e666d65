import { expect, test } from 'vitest'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { HubKey } from '../protocol/hub-key.ts'
import type { HubsAnswer } from '../protocol/hubs.ts'
import type { Config, Home } from './home.ts'
import type { HubClient } from './hub-client.ts'
import { homeWay, hubsOf } from './hubs.ts'
import { machinePin } from './new-hub-key.ts'
import { entriesFor, refreshHubs } from './refresh-hubs.ts'

const key = (letter: string) => `sha256//${letter.repeat(43)}=` as HubKey
const config = (more: object = {}) =>
  ({ machine: 'ana', sshHost: 'local', hub: 'http://10.0.0.1:3500', hubKey: key('A'), ...more }) as Config
const hub = (name: string, more: object = {}): HubsAnswer['hubs'][number] => ({
  name,
  url: `https://${name}.example:3500`,
  ssh: null,
  hubKey: key(name.toUpperCase()),
  self: false,
  ...more,
})
const told = [hub('a', { self: true }), hub('b'), hub('c')]

test.for([
  ['no list', 'b', /not a list/],
  ['neither address nor ssh', [{ hubKey: key('B') }], /hubs\.0: it has neither/],
  ['no key', [{ hub: 'http://b:3500' }], /hubs\.0: it has no hubKey/],
  ['no key behind ssh', [{ sshHost: 'me@b' }], /hubs\.0: it has no hubKey/],
  ['a key with a typo', [{ hub: 'http://b:3500', hubKey: 'sha256//x' }], /hubs\.0\.hubKey: a hub's key looks like/],
  ['no address', [{ hub: 'b:3500', hubKey: key('B') }], /hubs\.0\.hub: /],
  ['an option for ssh', [{ sshHost: '-oProxyCommand=x', hubKey: key('B') }], /hubs\.0\.sshHost: /],
  ['null', [null], /hubs\.0: /],
] as [string, unknown, RegExp][])('an invalid entry is left out, and reported: %s', ([, hubs, words]) => {
  const { ways, mistakes } = hubsOf(config({ hubs }))
  expect(ways).toEqual([homeWay(config())])
  expect(mistakes).toEqual([expect.stringMatching(words)])
})

test('a configuration lists its own hub first, each hub once, and those with a key over TLS', () => {
  const entries = [
    { hub: 'http://b:3500', hubKey: key('B'), note: 'kept' },
    { hub: 'https://other-name-of-b:3500', hubKey: key('B') },
    { hub: 'https://a.example', hubKey: key('A') },
    { hub: 'https://proxy.example' },
    { sshHost: 'me@c', hubKey: key('C') },
  ]
  const { ways, mistakes } = hubsOf(config({ hubs: entries }))
  expect(mistakes).toEqual([])
  expect(ways.map(({ id, hub }) => [id, hub.origin])).toEqual([
    ['local 10.0.0.1:3500', 'https://10.0.0.1:3500'],
    ['local b:3500', 'https://b:3500'],
    ['local proxy.example', 'https://proxy.example'],
    ['me@c localhost:3500', 'https://localhost:3500'],
  ])
  const many = Array.from({ length: 30 }, (_, n) => ({
    hub: `http://h${n}:1`,
    hubKey: `sha256//${String(n).padStart(43, 'x')}=`,
  }))
  expect(hubsOf(config({ hubs: many })).ways).toHaveLength(16)
  expect(hubsOf(config({ hubs: many })).mistakes).toHaveLength(1)
})

test('the list of a hub becomes entries: without the own hub, with the key of each, in a different order on each machine', () => {
  const entries = entriesFor(config(), told, homeWay(config()).id)
  expect(entries.toSorted((a, b) => (a.hub! < b.hub! ? -1 : 1))).toEqual([
    { hub: 'https://b.example:3500', hubKey: key('B') },
    { hub: 'https://c.example:3500', hubKey: key('C') },
  ])
  const first = Array.from(
    { length: 40 },
    (_, n) => entriesFor({ ...config(), machine: `m${n}` } as Config, told, '')[0]!.hub,
  )
  expect(new Set(first).size).toBe(2)
})

test('a hub that cannot be proven or reached from here gets no entry', () => {
  const unfit = [hub('b', { hubKey: null, url: 'http://b:1' }), hub('c', { url: null }), hub('d', { url: 'nonsense' })]
  expect(entriesFor(config(), [...unfit, hub('e', { url: 'https://127.0.0.1:1' })], '')).toEqual([])
  // A loopback address is of use on the same host.
  const here = config({ hub: 'http://127.0.0.1:3500' })
  expect(entriesFor(here, [hub('e', { url: 'https://127.0.0.1:1' })], '')).toHaveLength(1)
  const longList = Array.from({ length: 40 }, (_, n) =>
    hub('b', { url: `https://h${n}:1`, hubKey: `sha256//${String(n).padStart(43, 'x')}=` }),
  )
  expect(entriesFor(config(), longList, '')).toHaveLength(15)
})

test('a machine that reaches its own hub through ssh or a proxy reaches the others likewise', () => {
  const bySsh = config({ sshHost: 'me@a', hub: undefined })
  expect(entriesFor(bySsh, [hub('b', { ssh: 'me@b' }), hub('c', { ssh: 'me@c:22' })], '')).toEqual(
    expect.arrayContaining([
      { sshHost: 'me@b', hub: 'http://localhost:3500', hubKey: key('B') },
      { hub: 'https://c.example:3500', hubKey: key('C') },
    ]),
  )
  const byProxy = config({ hub: 'https://a.example', hubKey: undefined })
  expect(entriesFor(byProxy, [hub('b', { url: 'https://b.example' })], '')).toEqual([{ hub: 'https://b.example' }])
})

test('the way in use is never dropped', () => {
  const known = config({ hubs: [{ hub: 'https://b.example:3500', hubKey: key('B') }] })
  const inUse = hubsOf(known).ways[1]!.id
  expect(entriesFor(known, [], inUse)).toEqual(known.hubs)
  expect(entriesFor(known, [hub('b', { url: null, self: true })], inUse)).toEqual(known.hubs)
  expect(entriesFor(known, [hub('b'), hub('c')], inUse)).toHaveLength(2)
  expect(entriesFor(known, [], homeWay(known).id)).toEqual([])
})

function homeWith(start: Config) {
  let [current, token, written, asked] = [start, 'token', 0, 0]
  const home = {
    configFile: 'config.json',
    credentials: () => ({ config: current, hub: homeWay(current).hub, token }),
    readConfig: () => current,
    writeConfig: (changes: object) => {
      written++
      current = { ...current, ...changes }
    },
  } as unknown as Home
  const refresh = (answer: () => HubsAnswer['hubs']) => {
    const client = {
      call: async () => {
        asked++
        return { hubs: answer() }
      },
    } as unknown as HubClient
    return refreshHubs(home, client, () => homeWay(current))
  }
  const join = (other: Config) => {
    current = other
    token = 'another'
  }
  return { home, refresh, join, now: () => current, counts: () => ({ asked, written }) }
}

test('the list is written only if it has changed, and only from a hub that has proven itself', async () => {
  const { refresh, now, counts } = homeWith(config())
  expect([await refresh(() => told), await refresh(() => told)]).toEqual([true, false])
  expect([now().hubs, counts()]).toEqual([expect.arrayContaining([expect.anything()]), { asked: 2, written: 1 }])
  // An older hub has no list.
  const old = () => {
    throw new ClaudeNetError('not_found', 'no route', '')
  }
  expect(await refresh(old)).toBe(true)
  expect(now().hubs).toBeUndefined()
  const unproven = homeWith(config({ hubKey: undefined }))
  expect(await unproven.refresh(() => told)).toBe(false)
  expect(unproven.counts()).toEqual({ asked: 0, written: 0 })
})

test('the list of a hub that this machine has left meanwhile is ignored', async () => {
  const { refresh, join, counts } = homeWith(config())
  const answer = () => {
    join(config({ hub: 'http://elsewhere:3500' }))
    return told
  }
  expect([await refresh(answer), counts().written]).toEqual([false, 0])
})

test('each hub has its own pin, which is updated when that hub gets a new key', () => {
  const start = config({ hubs: [{ hub: 'http://b:3500', hubKey: key('B'), note: 'kept' }] })
  const { home, now, join } = homeWith(start)
  const [own, other] = hubsOf(start).ways as [ReturnType<typeof homeWay>, ReturnType<typeof homeWay>]
  const said: string[] = []
  const pins = [own, other].map(way => machinePin(home, way, text => void said.push(text)))
  expect(pins.map(({ pin }) => pin())).toEqual([key('A'), key('B')])
  pins[1]!.onNewKey({ from: key('B'), to: key('C') })
  expect([now().hubKey, now().hubs]).toEqual([key('A'), [{ hub: 'http://b:3500', hubKey: key('C'), note: 'kept' }]])
  expect(said).toEqual([expect.stringContaining('The hub at https://b:3500 has a new key')])
  expect(pins.map(({ pin }) => pin())).toEqual([key('A'), key('C')])
  // A hub that was removed from the list gets no more requests, not even over TLS without a pin.
  join(config())
  expect(() => pins[1]!.pin()).toThrow(/no longer a hub of this machine/)
})
