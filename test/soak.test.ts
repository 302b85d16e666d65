import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test } from 'vitest'
import type { Entry } from '../src/hub/state/commands.ts'
import { State } from '../src/hub/state/state.ts'
import { fingerprint } from './support/golden.ts'
import { cleanEnv, hubNode } from './support/program.ts'
import { printedSeed, type Random, seededRandom } from './support/random.ts'
import { tempDir } from './support/temp.ts'

/** Number of kills of the hub. For a long run: CLAUDE_NET_SOAK_ROUNDS=100 npx vitest run test/soak.test.ts */
const rounds = Number(process.env.CLAUDE_NET_SOAK_ROUNDS ?? 5)

test('after a soak with kills, the entries replayed into an empty store make the rows and the outcomes of the live hub', {
  timeout: 60_000 + rounds * 10_000,
}, async () => {
  const dir = tempDir('soak')
  const [dataDir, file] = [join(dir, 'data'), join(dir, 'entries.jsonl')]
  const seed = printedSeed()
  const random = seededRandom(seed)
  const startedAt = Date.now()
  for (let round = 0; round <= rounds; round++) {
    const args = [dataDir, file, seed + round, startedAt].map(String)
    const hub = spawn(hubNode, [join(import.meta.dirname, 'support/soak-hub.ts'), ...args], {
      stdio: ['pipe', 'pipe', 'inherit'],
      env: cleanEnv(),
    })
    const ended = once(hub, 'close')
    await Promise.race([once(hub.stdout, 'data'), ended])
    await delay(200 + random() * 300)
    if (round < rounds) hub.kill('SIGKILL')
    else hub.stdin.end()
    expect(await ended).toEqual(round < rounds ? [null, 'SIGKILL'] : [0, null])
  }

  using live = new State(join(dataDir, 'hub.db'))
  const entries = recorded(file, live.position.seq)
  using replayed = new State(join(dir, 'replayed.db'))
  for (const pack of packed(entries, random)) replayed.replay(pack)
  expect(replayed.position.seq).toBe(live.position.seq)
  expect(fingerprint(replayed.db)).toBe(fingerprint(live.db))
  expect(replayed.position.outcomes).toBe(live.position.outcomes)
  // The run was substantial: texts were deleted, messages expired, and commands of many kinds were carried out or refused.
  const count = (from: string) => live.db.get<{ n: number }>(`select count(*) as n from ${from}`)!.n
  const done = { deleted: count('message where text_deleted_at > 0'), expired: count('delivery where expired_at > 0') }
  console.log(`${rounds} kills, ${entries.length} entries: ${JSON.stringify(done)}`)
  expect(Math.min(done.deleted, done.expired)).toBeGreaterThan(0)
  expect(new Set(entries.map(({ command }) => command.type)).size).toBeGreaterThan(30)
})

/**
 * Returns the entries up to `end`, which are in the store. Of two with the same seq, the later one was applied: the first was lost in a
 * kill.
 */
function recorded(file: string, end: number): Entry[] {
  const bySeq = new Map<number, Entry>()
  for (const line of readFileSync(file, 'utf8').split('\n')) {
    if (!line.endsWith(']')) continue
    for (const entry of JSON.parse(line) as Entry[]) if (entry.seq <= end) bySeq.set(entry.seq, entry)
  }
  const entries = [...bySeq.values()].sort((a, b) => a.seq - b.seq)
  expect(entries.map(({ seq }) => seq)).toEqual(Array.from({ length: end }, (_, index) => index + 1))
  return entries
}

/** Yields the entries in packs of other sizes than originally. */
function* packed(entries: readonly Entry[], random: Random): Generator<Entry[]> {
  for (let at = 0; at < entries.length; ) {
    const pack = entries.slice(at, at + 1 + Math.floor(random() * 100))
    yield pack
    at += pack.length
  }
}
