import { execFileSync } from 'node:child_process'
import { copyFileSync, existsSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { check } from './support/checker.ts'
import { dumpInboxes } from './support/dump.ts'
import { History } from './support/history.ts'
import { startHub } from './support/hub.ts'
import { printedSeed, seededRandom } from './support/random.ts'
import { tempDir } from './support/temp.ts'
import { readAlong, sendAlong } from './support/traffic.ts'

/** How often the power goes. For a long run: CLAUDE_NET_POWER_LOSSES=100 npx vitest run test/power-loss.test.ts */
const losses = Number(process.env.CLAUDE_NET_POWER_LOSSES ?? 6)

test('when the power goes, all that was acknowledged is in what was synced: nothing lost, doubled or reordered', {
  timeout: 120_000 + losses * 10_000,
}, async context => {
  const dir = tempDir('power')
  const library = join(dir, 'power-loss.so')
  try {
    const source = join(import.meta.dirname, 'support/power-loss.c')
    execFileSync('gcc', ['-shared', '-fPIC', '-O2', '-o', library, source, '-ldl'])
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    context.skip('gcc is not installed here')
  }
  const synced = join(dir, 'synced')
  mkdirSync(synced)
  const seed = printedSeed()
  const random = seededRandom(seed)
  const hub = await startHub({ env: { LD_PRELOAD: library, CLAUDE_NET_SYNCED: synced } })
  const senders = await Promise.all(['s1', 's2', 's3', 's4'].map(name => hub.join(name)))
  const readers = await Promise.all(['r1', 'r2'].map(name => hub.join(name)))
  // The members are in the database itself: what is lost then is lost mail, and the checker names it.
  await hub.stop()
  await hub.start()
  const history = new History()
  const enough = new AbortController()
  const options = (n: number) => ({ history, random: seededRandom(seed + n), signal: enough.signal })
  const inboxes = readers.map(({ name }) => name)
  const traffic = Promise.all([
    ...senders.map((sender, n) => sendAlong(sender, inboxes, options(1 + n))),
    ...readers.map((reader, n) => readAlong(reader, options(101 + n))),
  ])
  for (let loss = 0; loss < losses; loss++) {
    await delay(300 + random() * 700)
    await hub.stop('SIGKILL')
    for (const name of ['hub.db', 'hub.db-wal']) {
      rmSync(join(hub.dataDir, name), { force: true })
      if (existsSync(join(synced, name))) copyFileSync(join(synced, name), join(hub.dataDir, name))
    }
    await hub.start()
  }
  enough.abort()
  await traffic
  expect(check(history.lines, await dumpInboxes(hub, readers)).slice(0, 20)).toEqual([])
  expect(Math.min(history.count('send', 'ok'), history.count('ack', 'ok'))).toBeGreaterThan(losses)
})
