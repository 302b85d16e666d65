import { mkdirSync, statSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test, vi } from 'vitest'
import { check } from '../prove/checker/check.ts'
import { History } from '../prove/checker/history.ts'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { mintToken } from '../src/protocol/token.ts'
import { daySeconds, passingClock, steppedClock } from './support/clock.ts'
import { dumpInboxes } from './support/dump.ts'
import { startHub, type TestHub, type TestMember } from './support/hub.ts'
import { Listener } from './support/listener.ts'
import { startMachine } from './support/machine.ts'
import { run } from './support/program.ts'
import { printedSeed, seededRandom } from './support/random.ts'
import { raw } from './support/raw.ts'
import { readAlong, sendAlong } from './support/traffic.ts'
import { until } from './support/until.ts'

// Several seconds of traffic take long on a busy machine.
vi.setConfig({ testTimeout: 180_000 })

/** Returns the hub's wall clock, in ms since 1970, from a message that it stores now. */
async function hubTime({ client }: TestMember): Promise<number> {
  return Date.parse((await client.call(api.sendMessage, { body: { to: 'watch', body: 'what time is it?' } })).sentAt)
}

test('after clock steps of a day in both directions nothing is lost, repeated or reordered, and presence does not change', async context => {
  const clock = steppedClock(context)
  const hub = await startHub({ env: clock.env })
  const seed = printedSeed()
  const watch = await hub.join('watch')
  const senders = await Promise.all(['s1', 's2', 's3'].map(name => hub.join(name)))
  const readers = await Promise.all(['r1', 'r2'].map(name => hub.join(name)))
  const beats = setInterval(() => {
    for (const { client } of senders) {
      void client.call(api.heartbeat, { body: { session: 'one', client: 'test/1' } }).catch(() => {})
    }
  }, 500)
  onTestFinished(() => clearInterval(beats))
  const stream = await new Listener(watch.client).opened()
  await until('all are online', () => stream.received.filter(({ event }) => event === 'presence').length === 3)
  const ofSession = await new Listener(senders[0]!.client, { session: 'one' }).opened()

  const history = new History()
  const enough = new AbortController()
  const options = (n: number) => ({ history, random: seededRandom(seed + n), signal: enough.signal })
  const inboxes = readers.map(({ name }) => name)
  const traffic = Promise.all([
    ...senders.map((sender, n) => sendAlong(sender, inboxes, options(1 + n))),
    ...readers.map((reader, n) => readAlong(reader, options(101 + n))),
  ])
  const repeated = { id: newMessageId(), to: 'watch', body: 'sent again after each step' }
  const first = await watch.client.call(api.sendMessage, { body: repeated })
  for (const seconds of [daySeconds, -daySeconds, 0]) {
    clock.step(seconds)
    // Longer than the interval at which the hub checks for silent sessions.
    await delay(1300)
    expect(Math.abs((await hubTime(watch)) - Date.now() - seconds * 1000)).toBeLessThan(60_000)
    expect(await watch.client.call(api.sendMessage, { body: repeated })).toMatchObject({ seq: first.seq })
  }
  expect(stream.received.filter(({ event }) => event === 'presence').length).toBe(3)
  const sent = (await watch.client.call(api.readInbox)).messages
  expect(sent.map(({ body }) => body).filter(body => body === repeated.body)).toHaveLength(1)
  const heard = stream.changes.map(({ data }) => data.seq)
  expect(heard).toEqual([...heard].sort((a, b) => a - b))

  // A member that ends its session is offline at once, whatever the clock shows.
  clock.step(-daySeconds)
  clearInterval(beats)
  await senders[0]!.client.call(api.endSession, { query: { session: 'one' } })
  await ofSession.ended
  await until('the presence event', () => stream.received.filter(({ event }) => event === 'presence').length === 4)
  await until('enough traffic', () => history.count('send', 'ok') > 100)
  enough.abort()
  await traffic
  expect(check(history.lines, await dumpInboxes(hub, readers)).slice(0, 20)).toEqual([])
})

test('expiries follow the time that passes, and report when they occurred', async context => {
  const clock = passingClock(context)
  const hub = await startHub({ env: clock.env })
  const [ana, ben] = [await hub.join('ana'), await hub.join('ben')]
  const send = async (expiresInS: number) =>
    (await ana.client.call(api.sendMessage, { body: { to: 'ben', body: `${expiresInS}`, expiresInS } })).id
  const receipt = async (id: string) => (await ana.client.call(api.getMessage, { params: { id } })).receipts[0]!
  const [hour, week] = [await send(3600), await send(7 * daySeconds)]

  clock.step(daySeconds)
  const ended = await until('the hour is over', async () => {
    const state = await receipt(hour)
    return state.status === 'expired' && state
  })
  const aDayOn = Date.now() + daySeconds * 1000
  expect(Math.abs(Date.parse(ended.expiredAt!) - aDayOn)).toBeLessThan(60_000)
  expect(await receipt(week)).toMatchObject({ status: 'stored' })
  expect(await ben.client.call(api.ackInbox, { body: { ids: [hour, week] } })).toMatchObject({ acked: [hour, week] })
  expect(await receipt(hour)).toMatchObject({ status: 'expired' })
  expect(await receipt(week)).toMatchObject({ status: 'acked' })
})

test('A06: a rotated token becomes invalid when its overlap is over, and its stream ends; the new one stays valid', async context => {
  const clock = passingClock(context)
  const hub = await startHub({ env: clock.env })
  const ana = await hub.join('ana')
  const { code } = await hub.client(hub.adminToken).call(api.rotateMember, { params: { name: 'ana' } })
  const token = mintToken('machine')
  await hub.client().call(api.join, { body: { code, machine: 'ana', token } })
  const stream = await new Listener(ana.client).opened()
  expect((await ana.client.call(api.listMachines)).you).toBe('ana')
  clock.step(daySeconds)
  await stream.ended
  await expect(ana.client.call(api.listMachines)).rejects.toMatchObject({ code: 'unauthorized' })
  expect((await hub.client(token).call(api.listMachines)).you).toBe('ana')
})

test('A08: a join code expires after ten minutes of elapsed time, whatever the wall clock says', async context => {
  const [passing, stepped] = [passingClock(context), steppedClock(context)]
  for (const [clock, seconds, works] of [
    [passing, 601, false],
    [passing, 500, true],
    [stepped, daySeconds, true],
    [stepped, -daySeconds, true],
  ] as const) {
    clock.step(0)
    const hub = await startHub({ env: clock.env })
    const { code } = await hub.client(hub.adminToken).call(api.invite, { body: { name: 'ana' } })
    clock.step(seconds)
    const joined = hub.client().call(api.join, { body: { code, machine: 'ana', token: mintToken('machine') } })
    if (works) expect(await joined).toEqual({ name: 'ana', kind: 'machine' })
    else await expect(joined).rejects.toMatchObject({ code: 'unauthorized' })
    await hub.stop()
  }
})

/** Returns the text and the status of each message as its sender sees it. */
async function seen({ client }: TestMember, ids: string[]) {
  const found = await Promise.all(ids.map(id => client.call(api.getMessage, { params: { id } })))
  return found.map(({ message, receipts }) => [message.body, receipts[0]!.status])
}

const years = 365 * daySeconds

test.for([
  ['is in 2099 for a while', 0, 73 * years, 0],
  ['starts in 1970', -56 * years, 0],
  ['starts in 2099 and is corrected twice', 73 * years, -2 * daySeconds, 0],
])(
  'a hub whose clock %s deletes, expires and revokes nothing, and reports the step',
  async ([, ...offsets], context) => {
    const clock = steppedClock(context)
    clock.step(offsets[0] as number)
    const hub = await startHub({ env: clock.env })
    const [ana, ben] = [await hub.join('ana'), await hub.join('ben')]
    const admin = hub.client(hub.adminToken)
    const send = async (body: string, expiresInS?: number) =>
      (await ana.client.call(api.sendMessage, { body: { to: 'ben', body, expiresInS } })).id
    const ids = [await send('read'), await send('unread'), await send('for an hour', 3600)]
    await ben.client.call(api.ackInbox, { body: { ids: [ids[0]!] } })
    const { code } = await admin.call(api.rotateMember, { params: { name: 'ben' } })
    await hub.client().call(api.join, { body: { code, machine: 'ben', token: mintToken('machine') } })
    const before = await seen(ana, ids)
    for (const seconds of offsets.slice(1)) {
      clock.step(seconds as number)
      await until('the step is noticed', async () => {
        const now = Date.parse((await admin.call(api.status)).clock?.at ?? '')
        return Math.abs(now - Date.now() - (seconds as number) * 1000) < 60_000
      })
      // Writes may cause ticks by the hub, too.
      await send(`at ${seconds}`)
      await raw(hub, { path: '/readyz' })
      expect(await seen(ana, ids)).toEqual(before)
    }
    expect((await ben.client.call(api.readInbox)).messages[0]).toMatchObject({ body: 'unread' })
    expect((await run(['status', '--data', hub.dataDir])).stdout).toMatch(
      /^Clock +was set by [+-].*; deletions and expiries do not depend on it$/m,
    )
  },
)

test("a session's server stays online over both steps, acks messages that it showed, and shows ages by the hub's clock", async context => {
  const clock = steppedClock(context)
  const hub = await startHub()
  const [sean, chas] = [await startMachine(hub, 'seanclaude'), await hub.join('chasclaude')]
  const session = await sean.mcp(clock.env)
  const lastSeen = async () => Date.parse((await memberOf(hub, 'seanclaude')).lastSeenAt ?? '')
  for (const seconds of [daySeconds, -daySeconds]) {
    clock.step(seconds)
    const { id } = await chas.client.call(api.sendMessage, { body: { to: 'seanclaude', body: 'hello' } })
    // The first response after a step sets the client's offset to the hub's clock.
    await session.call('machines')
    const { text } = await session.call('inbox', { ack: true })
    expect(text).toMatch(/just now|[0-9]+ s ago/)
    const steppedAt = Date.now()
    await until('it was acked without another call', async () => {
      const { receipts } = await chas.client.call(api.getMessage, { params: { id } })
      return receipts[0]!.status === 'acked'
    })
    await until('another heartbeat', async () => (await lastSeen()) > steppedAt)
    expect((await memberOf(hub, 'seanclaude')).online).toBe(true)
  }
})

test('messages in the outbox are sent completely and in order, whatever the clock was when they were kept', async context => {
  const clock = steppedClock(context)
  const hub = await startHub()
  const [sean, chas] = [await startMachine(hub, 'seanclaude'), await hub.join('chasclaude')]
  await hub.stop()
  for (const [text, seconds] of [
    ['1', daySeconds],
    ['2', -daySeconds],
    ['3', 0],
  ] as const) {
    clock.step(seconds)
    expect(await sean.run(['send', 'chasclaude', text], { env: clock.env })).toMatchObject({ code: 75 })
  }
  await hub.start()
  clock.step(-daySeconds)
  expect(await sean.run(['send', 'chasclaude', '4'], { env: clock.env })).toMatchObject({ code: 0 })
  const { messages } = await chas.client.call(api.readInbox)
  expect(messages.map(({ body }) => body)).toEqual(['1', '2', '3', '4'])
})

test('a lock that a dead process left with a time in the future does not block the outbox until then', async () => {
  const hub = await startHub()
  const [sean, chas] = [await startMachine(hub, 'seanclaude'), await hub.join('chasclaude')]
  await hub.stop()
  await sean.run(['send', 'chasclaude', 'kept'])
  await hub.start()
  // Left by a drainer that was killed while the clock was a day ahead.
  const lock = join(sean.home, 'run', 'outbox.lock')
  mkdirSync(lock, { recursive: true })
  const touched = (secondsFromNow: number) => utimesSync(lock, new Date(), new Date(Date.now() + secondsFromNow * 1000))
  touched(daySeconds)
  const send = (text: string) => sean.run(['send', 'chasclaude', text])
  expect(await send('behind it')).toMatchObject({ code: 75, stdout: expect.stringContaining('another process') })
  expect(statSync(lock).mtimeMs).toBeLessThanOrEqual(Date.now())
  // Too old now: the lock is stale.
  touched(-11)
  expect(await send('last')).toMatchObject({ code: 0 })
  const { messages } = await chas.client.call(api.readInbox)
  expect(messages.map(({ body }) => body)).toEqual(['kept', 'behind it', 'last'])
})

async function memberOf(hub: TestHub, name: string) {
  const { members } = await hub.client(hub.adminToken).call(api.listMachines)
  return members.find(member => member.name === name)!
}
