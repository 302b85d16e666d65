import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import { check } from '../prove/checker/check.ts'
import { History } from '../prove/checker/history.ts'
import { SyncedFiles } from '../prove/real/synced-files.ts'
import { api } from '../src/protocol/api.ts'
import { dumpInboxes } from './support/dump.ts'
import { startHub, type TestMember } from './support/hub.ts'
import { printedSeed, seededRandom } from './support/random.ts'
import { tempDir } from './support/temp.ts'
import { readAlong, sendAlong } from './support/traffic.ts'

/** Delay added to each sync, in ms, so that power losses often precede its end. */
const syncMs = 3

/** Number of power losses. For a long run: CLAUDE_NET_POWER_LOSSES=100 npx vitest run test/power-loss.test.ts */
const losses = Number(process.env.CLAUDE_NET_POWER_LOSSES ?? 6)

test('after a power loss all acknowledged messages are there and none partially, whatever unsynced sectors contain', {
  timeout: 120_000 + losses * 10_000,
}, async context => {
  const files = withLibrary()
  if (!files) return context.skip('gcc is not installed here')
  const seed = printedSeed()
  const random = seededRandom(seed)
  const hub = await startHub({ env: files.env })
  const senders = await Promise.all(['s1', 's2', 's3', 's4'].map(name => hub.join(name)))
  const readers = await Promise.all(['r1', 'r2'].map(name => hub.join(name)))
  // The stop moves the members into the database itself, so that only messages can be lost, and the checker reports those.
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
  const told = new Set<string>()
  const following = follow(readers[0]!, told, enough.signal)
  const unsynced: Record<string, number> = { kept: 0, dropped: 0 }
  for (let loss = 0; loss < losses || !unsynced.kept || !unsynced.dropped; loss++) {
    await delay(300 + random() * 500)
    // A backup begins with a checkpoint of the write-ahead log, so that the database file is written too.
    void hub
      .client(hub.adminToken)
      .call(api.makeBackup)
      .catch(() => {})
    await delay(random() * 150)
    await hub.stop('SIGKILL')
    const { kept, dropped, files: torn } = files.losePower(hub.dataDir, random)
    unsynced.kept! += kept
    unsynced.dropped! += dropped
    for (const name of torn) unsynced[name] = (unsynced[name] ?? 0) + 1
    expect(files.check(hub.dataDir)).toBe('ok')
    await hub.start()
  }
  enough.abort()
  await Promise.all([traffic, following])
  const dumps = await dumpInboxes(hub, readers)
  expect(check(history.lines, dumps).slice(0, 20)).toEqual([])
  const stored = new Set(dumps[0]!.rows.map(({ id }) => id))
  expect([...told].filter(id => !stored.has(id))).toEqual([])
  expect(told.size).toBeGreaterThan(losses)
  expect(Math.min(history.count('send', 'ok'), history.count('ack', 'ok'))).toBeGreaterThan(losses)
  console.log(`${losses} losses of power: of sectors and files that were not synced: ${JSON.stringify(unsynced)}`)
})

/** Adds the ids of messages in events of `member`, over all starts of the hub. */
async function follow({ client }: TestMember, told: Set<string>, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      for await (const { event, data } of client.events({ signal })) if (event === 'inbox') told.add(data.id)
    } catch {
      await delay(20)
    }
  }
}

/** Returns undefined if gcc is not installed. */
function withLibrary(): SyncedFiles | undefined {
  try {
    return new SyncedFiles(tempDir('power'), syncMs)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return undefined
  }
}
