import { expect, onTestFinished, test } from 'vitest'
import { tempDir } from '../../test/support/temp.ts'
import { newMessageId } from '../protocol/ids.ts'
import { Hub } from './hub.ts'
import { type Loop, LoopBrake } from './loop-brake.ts'

const minute = 60_000
const settings = { messages: 30, windowS: 300, repeats: 5, pauseS: 600 }

/** A hub whose clock the test sets, with two machines and a brake. */
async function setUp() {
  const clock = { now: Date.parse('2026-01-01T00:00:00.000Z') }
  const loops: Loop[] = []
  let brake: LoopBrake | undefined
  const fail = (error: unknown) => {
    throw error
  }
  const hub = new Hub({
    dataDir: tempDir('brake'),
    now: () => clock.now,
    onCommit: commit => brake?.watch(commit),
    onBug: (_, error) => fail(error),
    onStorageError: fail,
  })
  onTestFinished(() => hub.close())
  brake = new LoopBrake(hub, settings, loop => loops.push(loop))
  for (const name of ['ana', 'ben']) await hub.submit({ type: 'member.add', name, kind: 'machine' })
  const send = (by: 1 | 2, body: string) =>
    hub.submit({ type: 'message.send', id: newMessageId(), by, to: [by === 1 ? 'ben' : 'ana'], body })
  return { clock, loops, hub, send }
}

test('31 messages in a little more than 5 minutes are no loop, and 31 in a little less are', async () => {
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

test('the same text each hour is no loop; each 10 minutes it is', async () => {
  const { clock, loops, hub, send } = await setUp()
  for (let n = 0; n < 10; n++) {
    await send(1, 'The backup is done.')
    // Behind any brake that the send called for.
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

test('a brake ends at its time to the millisecond, and the same loop brings the next one', async () => {
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

test('a clock that is set back neither makes old messages look near nor a brake longer', async () => {
  const { clock, loops, send } = await setUp()
  for (let n = 0; n < 25; n++) await send(1, `before ${n}`)
  clock.now -= 60 * minute
  for (let n = 0; n < 25; n++) await send(1, `after ${n}`)
  expect(loops).toEqual([])
  for (let n = 0; n < 6; n++) await send(1, `more ${n}`)
  await expect(send(1, 'stopped')).rejects.toMatchObject({ code: 'rate_limited' })
  clock.now -= 60 * minute
  await send(1, 'not stopped')
})
