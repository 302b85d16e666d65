import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { build } from 'esbuild'
import { expect, test } from 'vitest'
import { State } from '../src/hub/state/state.ts'
import { hubNode } from './support/program.ts'
import { printedSeed, seededRandom } from './support/random.ts'
import { tempDir } from './support/temp.ts'

/** Number of kills. For a long run: CLAUDE_NET_CRASH_ROUNDS=1000 */
const rounds = Number(process.env.CLAUDE_NET_CRASH_ROUNDS ?? 50)

/**
 * Maximum number of sends between a start and the kill: enough for earlier ones of that start to become due. Counted, so that a busy
 * machine does as many.
 */
const mostSends = 16

test('an acknowledged scheduled message is delivered once, or its sender is notified once of the refusal, however often the hub is killed when it is due', {
  timeout: Math.max(120_000, rounds * 4000),
}, async () => {
  const random = seededRandom(printedSeed())
  const dir = tempDir('later-crash')
  const program = join(dir, 'later-hub.mjs')
  // Bundled into one file, it starts in a third of the time.
  await build({
    ...{ entryPoints: [join(import.meta.dirname, 'support/later-hub.ts')], outfile: program },
    ...{ bundle: true, platform: 'node', format: 'esm', target: 'node24', logLevel: 'error' },
  })
  const acknowledged = new Map<string, string>()
  for (let round = 0; round < rounds; round++) {
    const child = spawn(hubNode, [program, dir], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    const ended = once(child, 'exit')
    let text = ''
    const acks = () => text.split('\n').length - 1
    child.stdout.setEncoding('utf8').on('data', chunk => (text += chunk))
    const least = 1 + random() * mostSends
    while (acks() < least)
      await Promise.race([once(child.stdout, 'data'), ended.then(() => Promise.reject(new Error(text)))])
    // The kill may come at any moment between two sends.
    await delay(random() * 5)
    child.kill('SIGKILL')
    expect(await ended).toEqual([null, 'SIGKILL'])
    for (const line of text.split('\n').slice(0, -1)) acknowledged.set(...(line.split(' ') as [string, string]))
  }

  const state = new State(join(dir, 'hub.db'))
  const { db } = state
  const notices = db.all<{ body: string }>('select body from message where sender = 0').map(({ body }) => body)
  const untold = db.all<{ detail: string }>('select detail from untold').map(({ detail }) => detail)
  const timesTold = (id: string) => [...notices, ...untold].reduce((sum, text) => sum + text.split(id).length - 1, 0)
  const seqs = new Set<number>()
  let waiting = 0
  for (const [id, recipients] of acknowledged) {
    const isWaiting = db.get('select 1 from later where id = ?', id) !== undefined
    const found = db.all<{ seq: number }>(
      'select d.seq from message m join delivery d on d.seq = m.seq where m.id = ?',
      id,
    )
    expect([id, isWaiting ? 1 : found.length]).toEqual([id, 1])
    expect(timesTold(id)).toBeLessThanOrEqual(recipients === '2' && !isWaiting ? 1 : 0)
    // Some sends of the last start are not due yet.
    if (isWaiting) waiting++
    else seqs.add(found[0]!.seq)
  }
  // Each message was sent by an entry of its own.
  expect(seqs.size + waiting).toBe(acknowledged.size)
  // A notice names some of many messages, and counts all. A message that was already due when it was sent is not scheduled: its sender got
  // the outcome in the response.
  const told = notices.reduce((sum, body) => sum + Number(/of (\d+) message/.exec(body)![1]), untold.length)
  const all = db.get<{ n: number }>(
    `select count(*) as n from message where outcome like '%refused%' and written_at is not null`,
  )!.n
  expect(told).toBe(all)
  console.log(`${rounds} kills: ${acknowledged.size} acknowledged, ${waiting} wait, ${notices.length} notices`)
  expect(Math.min(seqs.size, notices.length)).toBeGreaterThan(rounds / 2)
  state.close()
})
