import { expect, test } from 'vitest'
import { newMessageId } from '../src/protocol/ids.ts'
import { type ClaimingHub, ClaimingHubs, holders } from './support/claiming-hubs.ts'

const [minute, hour, day] = [60_000, 3_600_000, 86_400_000]
const today = Date.parse('2026-01-01T00:00:00.000Z')

/** Starts three hubs whose wall clocks deviate from one clock by `off`, in ms. */
async function start(off: readonly [number, number, number]) {
  const hubs = new ClaimingHubs()
  const open = (name: string, by: number, dataDir?: string) =>
    hubs.open(name, { dataDir, now: () => today + hubs.now + by, monotonic: () => hubs.now })
  const all: ClaimingHub[] = []
  for (const [n, by] of off.entries()) {
    all.push(await open(`h${n}`, by))
    await hubs.settled(all)
  }
  const [h0] = all as [ClaimingHub]
  for (const name of ['ana', 'ben']) await h0.hub.submit({ type: 'member.add', name, kind: 'machine' })
  return { hubs, all, open }
}

const send = (hub: ClaimingHub, more: object = {}) =>
  hub.hub.submit({ type: 'message.send', id: newMessageId(), by: 1, to: ['ben'], body: 'hello', ...more })

/**
 * Returns the number of messages that have expired after a tick of this hub. Ticks may occur at any time, so an extra one changes nothing.
 */
async function expired({ hub }: ClaimingHub): Promise<number> {
  await hub.submit({ type: 'clock.tick' })
  return hub.state.db.get<{ n: number }>('select count(*) as n from message where expired = 1')!.n
}

const steps = ({ hub }: ClaimingHub) => hub.state.db.get<{ n: number }>('select count(*) as n from clock_step')!.n

test.for([
  ['that acts', 0],
  ['that does not act', 2],
] as const)(
  'a wall clock a day off in a hub %s changes no expiry and causes no step of the steady time',
  async ([, which]) => {
    for (const by of [day, -day]) {
      const { hubs, all } = await start([0, 1, 2].map(n => (n === which ? by : 0)) as [number, number, number])
      expect(holders(all)).toEqual(['h0'])
      await send(all[1]!, { expiresInS: hour / 1000 })
      for (let n = 0; n < 6; n++) {
        await send(all[n % 3]!)
        await hubs.pass(1000, all)
      }
      for (const hub of all) expect(await expired(hub)).toBe(0)
      // No claim was checked for an hour: the holder continues.
      hubs.now = hour - 1000
      await hubs.look(all.slice(0, 1))
      await hubs.settled(all)
      expect(await expired(all[which]!)).toBe(0)
      hubs.now += 2000
      await hubs.look(all)
      expect(await expired(all[which]!)).toBe(1)
      await hubs.settled(all)
      for (const hub of all) expect(steps(hub)).toBeLessThanOrEqual(2)
      // All three hubs date a new message alike.
      const dates: number[] = []
      for (const hub of all) dates.push((await send(hub)).sentAt)
      expect(Math.max(...dates) - Math.min(...dates)).toBeLessThan(minute)
    }
  },
)

test('a hub that returns or starts with a wall clock a day off joins the others without a step of the steady time', async () => {
  const { hubs, all, open } = await start([0, 0, 0])
  await send(all[1]!, { expiresInS: hour / 1000 })
  await all[2]!.die()
  const left = all.slice(0, 2)
  await hubs.pass(minute / 2, left)
  const again = await open('h2', day, all[2]!.dataDir)
  const joined = [...left, again]
  await hubs.settled(joined)
  // Its clock is at the newest entry until another hub writes one.
  expect(Math.abs(again.hub.steadyNow - all[0]!.hub.steadyNow)).toBeLessThan(minute / 4)
  expect(await expired(again)).toBe(0)
  await hubs.pass(minute / 4, joined)
  expect(again.hub.steadyNow).toBe(all[0]!.hub.steadyNow)
  const { sentAt } = await send(again)
  expect(sentAt).toBe(today + hubs.now)
})

test('steady time continues for all hubs over a time when none ran', async () => {
  const { hubs, all, open } = await start([0, 0, 0])
  await send(all[1]!, { expiresInS: hour / 1000 })
  for (const hub of all) await hub.die()
  hubs.now += 3 * day
  const again: ClaimingHub[] = []
  for (const { name, dataDir } of all) again.push(await open(name, 0, dataDir))
  await hubs.settled(again)
  await hubs.pass(12_000, again)
  for (const { hub } of again) expect(hub.steadyNow).toBe(today + hubs.now)
  expect(await expired(again[1]!)).toBe(1)
})
