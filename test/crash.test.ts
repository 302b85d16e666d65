import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { check } from '../prove/checker/check.ts'
import { History } from '../prove/checker/history.ts'
import { dumpInboxes } from './support/dump.ts'
import { startHub } from './support/hub.ts'
import { printedSeed, seededRandom } from './support/random.ts'
import { tempDir } from './support/temp.ts'
import { readAlong, sendAlong } from './support/traffic.ts'

/**
 * Number of kills of the hub. For a long run: CLAUDE_NET_CRASH_ROUNDS=1000 npx vitest run test/crash.test.ts
 * CLAUDE_NET_SEED repeats the choices of an earlier run; the timing between them is not reproducible.
 */
const rounds = Number(process.env.CLAUDE_NET_CRASH_ROUNDS ?? 20)

/**
 * Maximum number of sends and acks that get a response between a start and the next kill, and maximum time from those to the kill, in ms.
 * Counted instead of timed, so that a busy machine does as much as a quiet one.
 */
const longestLife = { sends: 8, acks: 4, ms: 50 }

test('a hub killed at any moment under load loses, duplicates and reorders nothing that it acknowledged', {
  timeout: Math.max(300_000, rounds * 15_000),
}, async () => {
  const seed = printedSeed()
  const random = seededRandom(seed)
  const hub = await startHub()
  const senders = await Promise.all(['s1', 's2', 's3', 's4', 's5'].map(name => hub.join(name)))
  const readers = await Promise.all(['r1', 'r2'].map(name => hub.join(name)))
  const inboxes = readers.map(({ name }) => name)

  const history = new History()
  const enough = new AbortController()
  // Each has a generator of its own, so that its choices depend on the seed alone.
  const options = (n: number) => ({ history, random: seededRandom(seed + n), signal: enough.signal })
  const traffic = Promise.all([
    ...senders.map((sender, n) => sendAlong(sender, inboxes, options(1 + n))),
    ...readers.map((reader, n) => readAlong(reader, options(101 + n))),
  ])
  let hit = 0
  for (let round = 0; round < rounds; round++) {
    // Some hubs are killed before they have responded to anything.
    const isShort = random() < 0.2
    const sends = history.count('send', 'ok') + random() * longestLife.sends
    const acks = history.count('ack', 'ok') + random() * longestLife.acks
    const isDue = () => isShort || (history.count('send', 'ok') >= sends && history.count('ack', 'ok') >= acks)
    while (!isDue()) await delay(25)
    await delay(random() * longestLife.ms)
    hit += history.underWay
    await hub.stop('SIGKILL')
    if (random() < 0.2) {
      // Also killed while it starts.
      const starting = hub.start().catch(() => {})
      await delay(random() * 300)
      await hub.stop('SIGKILL')
      await starting
    }
    await hub.start()
  }
  enough.abort()
  await traffic

  const dumps = await dumpInboxes(hub, readers)
  history.save(join(tempDir('crash'), 'history.jsonl'))
  expect(check(history.lines, dumps).slice(0, 20)).toEqual([])

  // The test proves something only if the kills interrupted operations, and enough operations succeeded.
  const counts = { sent: history.count('send', 'ok'), acked: history.count('ack', 'ok'), hit }
  console.log(`${rounds} kills: ${JSON.stringify(counts)}`)
  expect(Math.min(...Object.values(counts))).toBeGreaterThan(rounds)
})
