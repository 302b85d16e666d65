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
 * CLAUDE_NET_SEED repeats the choices of an earlier run; what the machine does between them is its own.
 */
const rounds = Number(process.env.CLAUDE_NET_CRASH_ROUNDS ?? 20)

/**
 * Most sends and acks that are answered between a start and the next kill, and the time to the kill after those, in ms. Counted, not
 * timed: a busy machine does as much as a quiet one.
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
  // Chance of its own for each, so that the seed alone decides what each of them tries.
  const options = (n: number) => ({ history, random: seededRandom(seed + n), signal: enough.signal })
  const traffic = Promise.all([
    ...senders.map((sender, n) => sendAlong(sender, inboxes, options(1 + n))),
    ...readers.map((reader, n) => readAlong(reader, options(101 + n))),
  ])
  let hit = 0
  for (let round = 0; round < rounds; round++) {
    // Some are killed before they have answered anything.
    const isShort = random() < 0.2
    const sends = history.count('send', 'ok') + random() * longestLife.sends
    const acks = history.count('ack', 'ok') + random() * longestLife.acks
    const isDue = () => isShort || (history.count('send', 'ok') >= sends && history.count('ack', 'ok') >= acks)
    while (!isDue()) await delay(25)
    await delay(random() * longestLife.ms)
    hit += history.underWay
    await hub.stop('SIGKILL')
    if (random() < 0.2) {
      // Killed while it starts, too.
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

  // The kills did hit operations under way, and enough was answered: otherwise this would prove nothing.
  const counts = { sent: history.count('send', 'ok'), acked: history.count('ack', 'ok'), hit }
  console.log(`${rounds} kills: ${JSON.stringify(counts)}`)
  expect(Math.min(...Object.values(counts))).toBeGreaterThan(rounds)
})
