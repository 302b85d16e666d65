import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ensureStore } from '../../test/support/empty-store.ts'
import { tempDir } from '../../test/support/temp.ts'
import { newMessageId } from '../protocol/ids.ts'
import { type Loop, LoopBrake } from './loop-brake.ts'
import { openHub } from './open-hub.ts'

const minute = 60_000
const settings = { messages: 30, windowS: 300, repeats: 5, pauseS: 600 }

/** Starts a hub whose clock the test sets, with two machines, a person and a brake. */
async function setUp() {
  const clock = { now: Date.parse('2026-01-01T00:00:00.000Z') }
  const loops: Loop[] = []
  let brake: LoopBrake | undefined
  const fail = (error: unknown) => {
    throw error
  }
  const dataDir = tempDir('brake')
  ensureStore(join(dataDir, 'hub.db'))
  const hub = openHub({
    dataDir,
    now: () => clock.now,
    onCommit: commit => brake?.watch(commit),
    onBug: (_, error) => fail(error),
    onStorageError: fail,
  })
  onTestFinished(() => hub.close())
  brake = new LoopBrake(hub, settings, loop => loops.push(loop))
  for (const name of ['ana', 'ben']) await hub.submit({ type: 'member.add', name, kind: 'machine' })
  await hub.submit({ type: 'member.add', name: 'pia', kind: 'human' })
  const [ana, ben, pia] = [1, 2, 3]
  const send = (by: number, body: string, { wasKept }: { wasKept?: true } = {}) =>
    hub.submit({ type: 'message.send', id: newMessageId(), by, to: [by === ben ? 'ana' : 'ben'], body, wasKept })
  return { clock, loops, hub, send, ana, ben, pia }
}

test('31 messages within 5 minutes are a loop; spread over slightly more they are not', async () => {
  const { clock, loops, send } = await setUp()
  for (let n = 0; n < 40; n++) {
    await send(n % 2 ? 1 : 2, `text ${n}`)
    clock.now += 10_000
  }
  expect(loops).toEqual([])
  clock.now += 60 * minute
  for (let n = 0; n < 31; n++) {
    await send(n % 2 ? 1 : 2, `text ${n}`)
    clock.now += 9_900
  }
  await expect(send(1, 'one more')).rejects.toMatchObject({ code: 'rate_limited', settled: true })
  expect(loops).toEqual([{ from: 'ben', to: 'ana', why: '31 messages within 5 min' }])
})

test('the same text every hour is no loop; every 10 minutes it is', async () => {
  const { clock, loops, hub, send } = await setUp()
  for (let n = 0; n < 10; n++) {
    await send(1, 'The backup is done.')
    // Resolves after any brake that the send caused.
    await hub.submit({ type: 'clock.tick' })
    clock.now += 60 * minute
  }
  expect(loops).toEqual([])
  for (let n = 0; n < 5; n++) {
    await send(1, 'The backup is done.')
    clock.now += n < 4 ? 10 * minute : 0
  }
  await expect(send(2, 'Thank you.')).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 10 * minute })
  expect(loops).toEqual([{ from: 'ana', to: 'ben', why: 'the same text 5 times running' }])
})

test('a brake ends at its time to the millisecond, and the same loop causes the next one', async () => {
  const { clock, loops, send } = await setUp()
  const loop = async () => {
    for (let n = 0; n < 5; n++) await send(1, 'Hello?')
  }
  await loop()
  clock.now += 10 * minute - 1
  await expect(send(1, 'Hello?')).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 1 })
  clock.now += 1
  await loop()
  await expect(send(1, 'Hello?')).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 10 * minute })
  expect(loops).toHaveLength(2)
})

test('a clock that is set back neither makes old messages look recent nor extends a brake', async () => {
  const { clock, loops, send } = await setUp()
  const exchange = async (messages: number, text: string) => {
    for (let n = 0; n < messages; n++) await send(n % 2 ? 1 : 2, `${text} ${n}`)
  }
  await exchange(25, 'before')
  clock.now -= 60 * minute
  await exchange(25, 'after')
  expect(loops).toEqual([])
  await exchange(6, 'more')
  await expect(send(1, 'stopped')).rejects.toMatchObject({ code: 'rate_limited' })
  clock.now -= 60 * minute
  await send(1, 'not stopped')
})

test('any number of messages from one side is no loop, even if the other answers now and then', async () => {
  const { loops, send, ana, ben } = await setUp()
  for (let n = 0; n < 100; n++) {
    await send(ana, `report ${n}`)
    if (n % 4 === 0) await send(ben, `thank you for ${n}`)
  }
  expect(loops).toEqual([])
})

test('messages count as an exchange, and as a loop, once a quarter of them comes from the other side', async () => {
  const { loops, hub, send, ana, ben } = await setUp()
  for (let n = 0; n < 31; n++) await send(n % 4 === 0 ? ben : ana, `text ${n}`)
  await hub.submit({ type: 'clock.tick' })
  expect(loops).toEqual([{ from: 'ana', to: 'ben', why: '31 messages within 5 min' }])
})

test('a message from a person to either of the two resets the count of their exchange', async () => {
  const { clock, loops, hub, send, ana, ben, pia } = await setUp()
  const exchange = async (messages: number) => {
    for (let n = 0; n < messages; n++) {
      clock.now += 10
      await send(n % 2 ? ana : ben, `${clock.now}`)
    }
  }
  await exchange(30)
  clock.now += 10
  await send(pia, 'Go on, ask for each file.')
  await exchange(30)
  expect(loops).toEqual([])
  await exchange(1)
  await hub.submit({ type: 'clock.tick' })
  expect(loops).toMatchObject([{ why: '31 messages within 5 min' }])
})

test('messages that waited in an outbox count neither as an exchange nor as the same text', async () => {
  const { loops, send, ana, ben } = await setUp()
  for (let n = 0; n < 50; n++) {
    await send(n % 2 ? ana : ben, `kept ${n}`, { wasKept: true })
    await send(ana, 'the same', { wasKept: true })
  }
  expect(loops).toEqual([])
})
