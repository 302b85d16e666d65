import { expect, onTestFinished, test } from 'vitest'
import { Hub } from '../src/hub/hub.ts'
import { openShared } from '../src/hub/open-hub.ts'
import { Claim } from '../src/hub/sharing/claim.ts'
import { claimOf } from '../src/hub/state/query/claims.ts'

import { MemoryLog } from './support/memory-log.ts'
import { tempDir } from './support/temp.ts'

/** A test looks at claims by itself. */
const never = 2 ** 31 - 1

/** Hubs in this process over one log in memory, and the clock by which they judge claims, in ms. */
class Hubs {
  readonly log = new MemoryLog()
  now = 0

  async open(name: string, { dataDir = tempDir('claims'), wall = () => Date.now() } = {}): Promise<SharedHub> {
    const claim = new Claim({ hub: name, now: () => this.now, lookMs: never })
    const opened = await openShared({ log: this.log.connect(), name: 'main', hub: name }, { dataDir, now: wall })
    const hub = new Hub({
      ...opened,
      dataDir,
      duty: claim,
      onCommit: commit => claim.committed(commit),
      onBug: (_, error) => {
        throw error
      },
      onStorageError: () => {},
    })
    const close = async () => {
      await claim.close()
      await hub.close()
    }
    onTestFinished(close)
    claim.start({ db: hub.state.db, submit: command => hub.submit(command) })
    return { claim, hub, name, dataDir, close, die: () => hub.close() }
  }

  /** Lets `ms` pass, with a look of `awake` at each second of it, and all that they ask for. */
  async pass(ms: number, awake: SharedHub[]): Promise<void> {
    for (const end = this.now + ms; this.now < end; ) {
      this.now = Math.min(end, this.now + 1000)
      await this.look(awake)
    }
  }

  async look(awake: SharedHub[]): Promise<void> {
    for (const { claim } of awake) claim.look()
    await this.settled(awake)
  }

  /** What was asked for is in the log, and applied by all. */
  async settled(awake: SharedHub[]): Promise<void> {
    for (let quiet = 0, end = this.log.end; quiet < 5; quiet = end === this.log.end ? quiet + 1 : 0) {
      end = this.log.end
      await new Promise(resolve => setImmediate(resolve))
    }
    for (const { hub } of awake) await expect.poll(() => hub.state.position.offset).toBe(this.log.end)
  }
}

interface SharedHub {
  claim: Claim
  hub: Hub
  name: string
  dataDir: string
  close(): Promise<void>
  /** Ends it without a word to the others. */
  die(): Promise<void>
}

/** The names of those that act. */
const holders = (hubs: SharedHub[]) => hubs.filter(({ claim }) => claim.isMine).map(({ name }) => name)

async function three() {
  const hubs = new Hubs()
  const all = [await hubs.open('h0'), await hubs.open('h1'), await hubs.open('h2')] as const
  await hubs.settled([...all])
  return { hubs, all: [...all], h0: all[0], h1: all[1], h2: all[2] }
}

test('one of several hubs acts, goes on to while it renews, and another within 15 s after it has ended without a word', async () => {
  const { hubs, all, h1, h2 } = await three()
  expect(holders(all)).toEqual(['h0'])
  await hubs.pass(60_000, all)
  expect(holders(all)).toEqual(['h0'])
  const renewals = hubs.log.end
  expect(renewals).toBeGreaterThan(15)
  expect(renewals).toBeLessThan(25)
  await hubs.pass(9000, [h1, h2])
  expect(holders([h1, h2])).toEqual([])
  await hubs.pass(6000, [h1, h2])
  expect(holders([h1, h2])).toHaveLength(1)
})

test('a hub that was stopped for a while does not act on its claim of before, at any moment, nor take it back', async () => {
  const { hubs, all, h0, h1, h2 } = await three()
  const changes: boolean[] = []
  h0.claim.onChange(() => changes.push(h0.claim.isMine))
  await hubs.pass(6000, [h1, h2])
  // Its last renewal is older than what it may act by before anybody has told it so.
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

test('a holder that wakes before anybody has taken over, or whose log was away, goes on with a claim of now', async () => {
  const { hubs, all, h0 } = await three()
  hubs.now += 9000
  expect(holders(all)).toEqual([])
  h0.claim.look()
  expect(holders(all)).toEqual([])
  await hubs.settled(all)
  expect(holders(all)).toEqual(['h0'])
})

test('of hubs that claim at once the first counts, and the others know it', async () => {
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

test('a claim whose answer was lost counts from when it was first asked for, and no longer', async () => {
  const { hubs, all, h0 } = await three()
  hubs.now += 5000
  hubs.log.failures.push('stored')
  await hubs.look([h0])
  await hubs.settled(all)
  hubs.now += 7000
  expect(holders(all)).toEqual(['h0'])
  hubs.now += 1000
  expect(holders(all)).toEqual([])
  // The log takes nothing for a while, and then what was first asked for long before.
  await hubs.look(all)
  expect(holders(all)).toEqual(['h0'])
  hubs.now += 4000
  hubs.log.failures.push('nothing', 'nothing')
  h0.claim.look()
  hubs.now += 8000
  const { end } = hubs.log
  await expect.poll(() => hubs.log.end).toBe(end + 1)
  await hubs.settled(all)
  expect(holders(all)).toEqual([])
  await hubs.look([h0])
  expect(holders(all)).toEqual(['h0'])
})

test('a hub that stops gives its claim up at once, and one that begins again takes its own over', async () => {
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

test('all hubs are started again: a claim of none of them runs out 10 s after they have seen it', async () => {
  const { hubs, all, h1, h2 } = await three()
  for (const hub of all) await hub.die()
  hubs.now += 100_000
  const [one, two] = [await hubs.open('h1', h1), await hubs.open('h2', h2)]
  await hubs.pass(9000, [one, two])
  expect(holders([one, two])).toEqual([])
  await hubs.pass(2000, [one, two])
  expect(holders([one, two])).toHaveLength(1)
})
