import { expect, onTestFinished, test, vi } from 'vitest'
import { MemoryBoard } from '../../../test/support/memory-board.ts'
import { Presence } from '../push/presence.ts'
import { ProjectSights } from '../push/project-sights.ts'
import { maxValueBytes } from './board.ts'
import { SharedPresence } from './shared-presence.ts'

/** Hubs that share a board and a fake clock. */
function start() {
  vi.useFakeTimers({ now: 1_000_000, toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'Date', 'performance'] })
  onTestFinished(() => void vi.useRealTimers())
  const shared = new MemoryBoard()
  const all = new Map<string, Presence>()
  const open = (name: string) => {
    const board = shared.connect(name)
    const presence = new Presence({ monotonic: () => performance.now(), now: () => Date.now() })
    const projects = new ProjectSights({
      now: () => Date.now(),
      steady: () => Date.now(),
      toldAt: () => undefined,
      tell: async () => {},
    })
    const sharing = new SharedPresence({ board, presence, projects })
    all.set(name, presence)
    const reported: string[] = []
    presence.on('changed', member => reported.push(`${member} ${presence.of(member).online ? 'online' : 'offline'}`))
    presence.on('gone', (member, session) => reported.push(`${member} lost ${session}`))
    return {
      presence,
      projects,
      reported,
      sessions: (member: number) => presence.sessionsOf(member).map(({ session }) => session),
      /** Stops the hub without ending its sessions. */
      kill: async () => {
        all.delete(name)
        sharing.close()
        await board.close()
      },
    }
  }
  /** Lets time pass, with a sweep each second and a heartbeat of `beating` every 5 s. */
  const pass = async (ms: number, beating: () => void = () => {}) => {
    for (let passed = 0; passed < ms; passed += 1000) {
      if (passed % 5000 === 0) beating()
      await vi.advanceTimersByTimeAsync(Math.min(1000, ms - passed))
      for (const presence of all.values()) presence.sweep()
    }
  }
  return { shared, open, pass }
}

test('every hub shows a session with its activity until it ends, or sends no more heartbeats to its hub', async () => {
  const { open, pass } = start()
  const [one, two] = [open('one'), open('two')]
  const prompt = { id: 'p1', tool: 'Bash', since: Date.now() }
  const beat = () => one.presence.beat(1, 's1', 'claude-net/1.0.0', { branch: 'main', prompt }, 'billing')
  await pass(60_000, beat)
  expect(two.presence.sessionsOf(1)).toEqual([
    {
      session: 's1',
      client: 'claude-net/1.0.0',
      since: 1_000_000,
      project: 'billing',
      activity: { branch: 'main', prompt },
    },
  ])
  expect(two.presence.sessionCounts(1)).toEqual({ sessions: 1, ofProjects: new Map([['billing', 1]]) })
  expect(two.presence.of(1)).toEqual({ online: true, lastSeenAt: Date.now() })
  const lastBeat = Date.now()
  beat()
  await pass(17_000)
  for (const hub of [one, two]) expect(hub.reported).toEqual(['1 online', '1 lost s1', '1 offline'])
  expect([two.presence.of(1).lastSeenAt, two.projects.lastSeen(1, 'billing')]).toEqual([lastBeat, lastBeat])
  // A session that is online when a hub starts, and ends.
  beat()
  await pass(1000)
  const three = open('three')
  expect(three.presence.of(1).online).toBe(true)
  one.presence.end(1, 's1')
  await pass(1000)
  expect(three.reported).toEqual(['1 lost s1', '1 offline'])
})

test('a session that another hub than its own was asked to end is ended at all hubs', async () => {
  const { open, pass } = start()
  const [one, two, three] = [open('one'), open('two'), open('three')]
  one.presence.beat(1, 's1', 'test/1')
  one.presence.beat(1, 's2', 'test/1')
  await pass(1000)
  expect([two.presence.end(1, 's1'), two.presence.end(1, 'none')]).toEqual([true, false])
  expect(two.sessions(1)).toEqual(['s2'])
  await pass(1000)
  for (const hub of [one, three]) expect([hub.sessions(1), hub.reported.at(-1)]).toEqual([['s2'], '1 lost s1'])
  // The same session may return.
  one.presence.beat(1, 's1', 'test/1')
  await pass(11_000, () => one.presence.beat(1, 's1', 'test/1'))
  expect(three.sessions(1)).toContain('s1')
})

test('a session that moves to another hub stays online throughout, and is listed once', async () => {
  const { open, pass } = start()
  const [one, two, three] = [open('one'), open('two'), open('three')]
  await pass(20_000, () => one.presence.beat(1, 's1', 'test/1', { branch: 'old' }))
  await pass(60_000, () => two.presence.beat(1, 's1', 'test/1', { branch: 'new' }))
  for (const hub of [one, two, three]) {
    expect(hub.presence.sessionsOf(1)).toMatchObject([{ session: 's1', since: 1_000_000, activity: { branch: 'new' } }])
    expect(hub.reported).toEqual(['1 online'])
  }
  await two.kill()
  await pass(30_000, () => one.presence.beat(1, 's1', 'test/1'))
  for (const hub of [one, three]) expect(hub.reported).toEqual(['1 online'])
  expect(three.sessions(1)).toEqual(['s1'])
})

test('the sessions of a killed hub end only after they had time to send heartbeats to another hub', async () => {
  const { open, pass } = start()
  const [one, two] = [open('one'), open('two')]
  await pass(6000, () => two.presence.beat(1, 's1', 'test/1'))
  await two.kill()
  await pass(9000)
  expect(one.presence.of(1).online).toBe(true)
  const killedAt = Date.now() - 9000
  await pass(2000)
  expect(one.reported).toEqual(['1 online', '1 lost s1', '1 offline'])
  expect(one.presence.of(1).lastSeenAt).toBe(killedAt)
})

test('unchanged heartbeats are not published, and changes of activity are published together', async () => {
  const { shared, open, pass } = start()
  const one = open('one')
  const two = open('two')
  const put = vi.spyOn(shared, 'set')
  const beat = (turn: number) => {
    for (let session = 0; session < 1000; session++)
      one.presence.beat(1 + (session % 50), `session-${session}`, 'claude-net/1.0.0', {
        branch: 'main',
        busySince: turn,
      })
  }
  beat(1)
  await pass(1000)
  expect(put).toHaveBeenCalledTimes(16)
  const bytes = put.mock.calls.reduce((sum, [, value]) => sum + value!.length, 0)
  expect(bytes).toBeLessThan(200_000)
  await pass(60_000, () => beat(1))
  expect(put).toHaveBeenCalledTimes(16)
  let turn = 1
  await pass(60_000, () => beat(++turn))
  // Each part once in 10 s at most.
  expect(put.mock.calls.length).toBeLessThanOrEqual(16 * 7)
  expect(two.presence.sessionCounts(1).sessions).toBe(20)
})

test('when the sessions do not fit into a value, their activity is omitted first', async () => {
  const { shared, open, pass } = start()
  const [one, two] = [open('one'), open('two')]
  const activity = { branch: 'ä'.repeat(100), status: 'ö'.repeat(100), statusSetAt: 1 }
  const [client, project] = [`${'c'.repeat(40)}/${'1'.repeat(24)}`, 'p'.repeat(64)]
  for (let session = 0; session < 16_000; session++)
    one.presence.beat(1 + (session % 100), `session-${session}-`.padEnd(64, 'x'), client, activity, project)
  await pass(1000)
  for (const value of shared.values.values()) expect(Buffer.byteLength(value)).toBeLessThanOrEqual(maxValueBytes)
  const counts = Array.from({ length: 100 }, (_, member) => two.presence.sessionCounts(member + 1).sessions)
  expect(Math.min(...counts)).toBeGreaterThan(50)
  expect(Math.max(...counts)).toBeLessThan(160)
  expect(two.presence.sessionsOf(1)[0]!.activity).toBeUndefined()
})

test('well-formed parts of what another hub publishes are used, malformed ones ignored', async () => {
  const { shared, open } = start()
  const one = open('one')
  const good = { member: 1, session: 's1', client: 'test/1', since: 5, more: 'of a newer hub' }
  const sessions = [
    good,
    { ...good, session: 's2', client: 'a\nb', since: Date.now() + 1e9, activity: { branch: 'a b' } },
    { ...good, session: 's3', activity: { status: 'fine', busySince: Date.now() + 1e9, later: 1 } },
    { ...good, session: '../s4' },
    { ...good, member: -1 },
    { ...good, since: 'now' },
    null,
    7,
  ]
  const seen = [{ member: 2, at: Date.now() + 1e9 }, { member: 'x', at: 1 }, null]
  shared.set('two/presence/0', JSON.stringify({ sessions, seen, v: 2 }))
  expect(one.presence.sessionsOf(1)).toEqual(
    [
      { session: 's1', client: 'test/1', since: 5, activity: undefined },
      { session: 's3', client: 'test/1', since: 5, activity: { status: 'fine', busySince: Date.now() } },
      { session: 's2', client: 'unknown', since: Date.now(), activity: undefined },
    ].sort((a, b) => a.since - b.since),
  )
  expect(one.presence.of(2)).toEqual({ online: false, lastSeenAt: Date.now() })
  // A value of another form changes nothing.
  for (const odd of ['', 'null', '{}', '[]', '{"sessions":7,"seen":[]}']) {
    shared.set('two/presence/0', odd)
    shared.set('two/presence-ended', odd)
  }
  expect(one.sessions(1)).toHaveLength(3)
})
