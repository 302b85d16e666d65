import { expect, test } from 'vitest'
import { maxSessions, Presence, type PresenceOptions } from './presence.ts'

/** Makes a presence with clocks that the test moves, and records its events. */
function start(options: PresenceOptions = {}) {
  const clock = { monotonic: 0, wall: 1000 }
  const presence = new Presence({ monotonic: () => clock.monotonic, now: () => clock.wall, ...options })
  const reported: string[] = []
  presence.on('changed', member => reported.push(`${member} ${presence.of(member).online ? 'online' : 'offline'}`))
  presence.on('gone', (member, session) => reported.push(`${member} lost ${session}`))
  /** Advances the clocks without a sweep, as when the process is stopped, then sweeps. */
  const stall = (ms: number) => {
    clock.monotonic += ms
    clock.wall += ms
    presence.sweep()
  }
  /** Advances the clocks with a sweep every second and one at the end. */
  const pass = (ms: number) => {
    for (let left = ms; left > 0; left -= 1000) stall(Math.min(left, 1000))
  }
  return { presence, clock, reported, pass, stall }
}

test('more than 15 s of silence end a session', () => {
  const { presence, reported, pass } = start()
  presence.beat(1, 's1', 'test/1')
  pass(15_000)
  expect(presence.of(1)).toEqual({ online: true, lastSeenAt: 1000 })
  pass(1)
  expect(presence.of(1)).toEqual({ online: false, lastSeenAt: 1000 })
  expect(reported).toEqual(['1 online', '1 lost s1', '1 offline'])
})

test('a stall of the hub does not count as silence; afterwards the rest of the 15 s counts', () => {
  const { presence, reported, pass, stall } = start()
  presence.beat(1, 's1', 'test/1')
  pass(5000)
  for (let i = 0; i < 3; i++) stall(20_000)
  expect(reported).toEqual(['1 online'])
  // Each stall counts as no more than two seconds.
  pass(4000)
  expect(presence.of(1).online).toBe(true)
  pass(1000)
  expect(presence.of(1).online).toBe(false)
})

test('a heartbeat that is the first thing read after a stall is good for 15 s, and no longer', () => {
  const { presence, clock, pass } = start()
  presence.beat(1, 's1', 'test/1')
  clock.monotonic += 60_000
  presence.beat(1, 's1', 'test/1')
  presence.beat(2, 's2', 'test/1')
  pass(15_000)
  expect(presence.of(1).online && presence.of(2).online).toBe(true)
  pass(1000)
  expect(presence.of(1).online || presence.of(2).online).toBe(false)
})

test('every heartbeat restarts the 15 s, and emits no event', () => {
  const { presence, reported, pass } = start()
  for (let i = 0; i < 10; i++) {
    presence.beat(1, 's1', 'test/1')
    pass(14_999)
  }
  expect(presence.of(1)).toEqual({ online: true, lastSeenAt: 1000 + 9 * 14_999 })
  expect(reported).toEqual(['1 online'])
})

test('a jump of the wall clock neither ends a session nor keeps it online', () => {
  const { presence, clock, pass } = start()
  presence.beat(1, 's1', 'test/1')
  clock.wall += 86_400_000
  pass(1000)
  expect(presence.of(1).online).toBe(true)
  clock.wall -= 2 * 86_400_000
  pass(15_000)
  expect(presence.of(1).online).toBe(false)
})

test('a member is online as long as one of its sessions is', () => {
  const { presence, reported, pass } = start()
  presence.beat(1, 's1', 'test/1')
  pass(10_000)
  presence.beat(1, 's2', 'test/2')
  pass(10_000)
  expect(presence.sessionsOf(1)).toMatchObject([{ session: 's2', client: 'test/2', since: 11_000 }])
  expect(presence.of(1).online).toBe(true)
  pass(10_000)
  expect(presence.of(1).online).toBe(false)
  expect(reported).toEqual(['1 online', '1 lost s1', '1 lost s2', '1 offline'])
})

test('a session id that times out for two members at once emits events for each', () => {
  const { presence, reported, pass } = start()
  presence.beat(1, 's1', 'test/1')
  presence.beat(2, 's1', 'test/1')
  pass(16_000)
  expect(reported.slice(2).sort()).toEqual(['1 lost s1', '1 offline', '2 lost s1', '2 offline'])
})

test('a clean end takes effect immediately, and only once', () => {
  const { presence, reported } = start()
  presence.beat(1, 's1', 'test/1')
  expect(presence.end(1, 's2')).toBe(false)
  expect(presence.end(2, 's1')).toBe(false)
  expect(presence.end(1, 's1')).toBe(true)
  expect(presence.end(1, 's1')).toBe(false)
  expect(reported).toEqual(['1 online', '1 lost s1', '1 offline'])
})

test('a session that returns after it timed out is a new one, with a new start', () => {
  const { presence, reported, pass } = start()
  presence.beat(1, 's1', 'test/1')
  pass(16_000)
  presence.beat(1, 's1', 'test/1')
  expect(presence.sessionsOf(1)).toMatchObject([{ session: 's1', client: 'test/1', since: 17_000 }])
  expect(reported.at(-1)).toBe('1 online')
})

test('sessions are listed oldest first; a client may change its version', () => {
  const { presence, pass } = start()
  for (const session of ['c', 'a', 'b']) {
    presence.beat(1, session, 'test/1')
    pass(1)
  }
  presence.beat(1, 'c', 'test/2')
  expect(presence.sessionsOf(1).map(({ session, client }) => `${session} ${client}`)).toEqual([
    'c test/2',
    'a test/1',
    'b test/1',
  ])
})

test('last-seen times from before the start are known, and only newer ones are to be saved', () => {
  const { presence } = start({
    lastSeen: new Map([
      [1, 5],
      [2, 6],
    ]),
  })
  expect(presence.of(1)).toEqual({ online: false, lastSeenAt: 5 })
  expect(presence.of(3)).toEqual({ online: false, lastSeenAt: null })
  expect(presence.takeUnsaved()).toEqual(new Map())
  presence.beat(1, 's1', 'test/1')
  presence.end(1, 's1')
  expect(presence.takeUnsaved()).toEqual(new Map([[1, 1000]]))
  expect(presence.takeUnsaved()).toEqual(new Map())
})

test('the number of sessions of a member is bounded; heartbeats of its live sessions are still accepted', () => {
  const presence = new Presence({ silenceMs: 100 })
  for (let n = 0; n < maxSessions; n++) expect(presence.beat(1, `s${n}`, 'x')).toBe(true)
  expect(presence.beat(1, 'one more', 'x')).toBe(false)
  expect(presence.beat(1, 's0', 'x')).toBe(true)
  expect(presence.sessionsOf(1)).toHaveLength(maxSessions)
  presence.end(1, 's1')
  expect(presence.beat(1, 'one more', 'x')).toBe(true)
})
