import { expect, test } from 'vitest'
import { claimOf } from '../src/hub/state/query/claims.ts'
import { holders, threeHubs as three } from './support/claiming-hubs.ts'

test('one of several hubs has the duty while it renews its claim; another has it within 15 s after a crash', async () => {
  const { hubs, all, h1, h2 } = await three()
  expect(holders(all)).toEqual(['h0'])
  await hubs.pass(60_000, all)
  expect(holders(all)).toEqual(['h0'])
  const renewals = hubs.log.end
  expect(renewals).toBeGreaterThan(15)
  expect(renewals).toBeLessThan(25)
  await hubs.pass(5000, [h1, h2])
  expect(holders([h1, h2])).toEqual([])
  await hubs.pass(10_000, [h1, h2])
  expect(holders([h1, h2])).toHaveLength(1)
})

test('a hub that was suspended never acts on its expired claim, nor takes the duty back', async () => {
  const { hubs, all, h0, h1, h2 } = await three()
  const changes: boolean[] = []
  h0.claim.onChange(() => changes.push(h0.claim.isMine))
  await hubs.pass(6000, [h1, h2])
  // Its last renewal is now too old to act by, before it is notified of anything.
  hubs.now += 3000
  expect(h0.claim.isMine).toBe(false)
  await hubs.pass(24_000, [h1, h2])
  const [successor] = holders(all)
  expect(['h1', 'h2']).toContain(successor)
  await hubs.look(all)
  await hubs.pass(20_000, all)
  expect(holders(all)).toEqual([successor])
  expect(changes).toEqual([false])
})

test('a holder that resumes before another takes over, or whose log was unavailable, continues with a new claim', async () => {
  const { hubs, all, h0 } = await three()
  hubs.now += 9000
  expect(holders(all)).toEqual([])
  h0.claim.look()
  expect(holders(all)).toEqual([])
  await hubs.settled(all)
  expect(holders(all)).toEqual(['h0'])
})

test('of concurrent claims the first one counts, and the other hubs know it', async () => {
  const { hubs, all, h1, h2 } = await three()
  hubs.now += 30_000
  h1.claim.look()
  h2.claim.look()
  await hubs.settled(all)
  expect(holders(all)).toHaveLength(1)
  const rows = all.map(({ hub }) => claimOf(hub.state.db))
  expect(new Set(rows.map(row => row?.run)).size).toBe(1)
  expect(rows[0]!.hub).toBe(holders(all)[0])
})

test('a claim whose response was lost counts from its first request, and no longer', async () => {
  const { hubs, all, h0 } = await three()
  hubs.now += 5000
  hubs.log.failures.push('stored')
  await hubs.look([h0])
  await hubs.settled(all)
  hubs.now += 7000
  expect(holders(all)).toEqual(['h0'])
  hubs.now += 1000
  expect(holders(all)).toEqual([])
  // The log fails for a while, and then accepts a request that was made long before.
  await hubs.look(all)
  expect(holders(all)).toEqual(['h0'])
  hubs.now += 4000
  hubs.log.failures.push('nothing', 'nothing')
  h0.claim.look()
  hubs.now += 8000
  const { end } = hubs.log
  await expect.poll(() => hubs.log.end, { timeout: 90_000 }).toBe(end + 1)
  await hubs.settled(all)
  expect(holders(all)).toEqual([])
  await hubs.look([h0])
  expect(holders(all)).toEqual(['h0'])
})

test('a hub that stops releases its claim at once, and one that restarts takes its own over', async () => {
  const { hubs, h0, h1, h2 } = await three()
  await h0.close()
  expect(h0.claim.isMine).toBe(false)
  await hubs.settled([h1, h2])
  expect(holders([h1, h2])).toHaveLength(1)
  const held = [h1, h2].find(({ claim }) => claim.isMine)!
  const other = held === h1 ? h2 : h1
  await held.die()
  const again = await hubs.open(held.name, held)
  await hubs.settled([again, other])
  expect(holders([again, other])).toEqual([held.name])
})

test('when all hubs restart, an earlier claim expires 10 s after they have seen it', async () => {
  const { hubs, all, h1, h2 } = await three()
  for (const hub of all) await hub.die()
  hubs.now += 100_000
  const [one, two] = [await hubs.open('h1', h1), await hubs.open('h2', h2)]
  await hubs.pass(9000, [one, two])
  expect(holders([one, two])).toEqual([])
  await hubs.pass(2000, [one, two])
  expect(holders([one, two])).toHaveLength(1)
})
