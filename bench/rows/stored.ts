import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Bench } from '../bench.ts'
import { elapsedMs, median } from '../compare.ts'
import { Connection, expectSuccess } from '../connection.ts'
import { quantile, request } from '../load.ts'
import { startHub } from '../processes.ts'
import type { Row } from '../row.ts'
import type { Member } from '../store.ts'
import { longestStop } from './worst-queries.ts'

/** Number of members whose inboxes hold the unread messages: one inbox accepts at most 10,000. */
const others = 100

const rareWord = 'xylophone'

/** Measures the cost of a long history: a start over it, a search for a rare word in the reader's half of it, and a backup. */
export async function stored(bench: Bench): Promise<Row[]> {
  const count = bench.full ? 1_000_000 : bench.quick ? 20_000 : 100_000
  const inWords = count >= 1_000_000 ? `${count / 1_000_000} M` : `${count / 1000} k`
  bench.say(`storing ${inWords} messages`)
  const dataDir = bench.freshPath('hub')
  const [, reader] = bench.makeStore(dataDir, 2 + others, (store, [sender, reader, ...rest]) => {
    store.addMessages(sender!, reader!, count / 4, true)
    store.addMessages(sender!, reader!, 1, true, `One ${rareWord} among them.`)
    store.addMessages(sender!, reader!, count / 4, true)
    for (const other of rest) store.addMessages(sender!, other, count / 2 / others, false)
    bench.say('indexing their words')
    store.index()
  }) as [Member, Member]

  const starts: number[] = []
  for (let round = 0; round < 3; round++) {
    starts.push((await elapsedMs(async () => (await startHub(dataDir))[Symbol.asyncDispose]())) / 1000)
  }
  await using hub = await startHub(dataDir)
  const connection = await Connection.open(hub.port)
  const ask = async (what: string) => expectSuccess(await connection.ask(what))
  const search = request('GET', `/v1/messages?q=${rareWord}&limit=20`, reader.token)
  const searches: number[] = []
  for (let n = 0; n < 20; n++) searches.push(await elapsedMs(() => ask(search)))

  const read = request('GET', '/v1/inbox', reader.token)
  const quiet: number[] = []
  for (let n = 0; n < 500; n++) quiet.push(await elapsedMs(() => ask(read)))
  const admin = readFileSync(join(dataDir, 'admin.token'), 'utf8').trim()
  const stop = await longestStop(hub.port, reader.token, admin)
  // Opened only now, because the hub closes an idle connection.
  const asking = await Connection.open(hub.port)
  let isMade = false
  const startedAt = performance.now()
  const backup = asking.ask(request('POST', '/v1/admin/backup', admin)).then(answer => {
    expectSuccess(answer)
    isMade = true
  })
  const during: number[] = []
  while (!isMade) during.push(await elapsedMs(() => ask(read)))
  await backup
  const seconds = (performance.now() - startedAt) / 1000
  during.sort((a, b) => a - b)
  quiet.sort((a, b) => a - b)
  bench.say(
    `inbox reads during the backup: p99 ${quantile(during, 0.99).toFixed(2)}, longest ${during.at(-1)!.toFixed(1)} ms`,
  )
  connection.close()
  asking.close()
  return [
    row(`start and stop over ${inWords} stored`, 's', 2, median(starts)),
    row(`search of a rare word, ${inWords} stored`, 'ms', 50, median(searches)),
    row(`longest wait of others under the worst queries, ${inWords} stored`, 'ms', 50, stop),
    row(`backup of ${inWords} stored, checked`, 's', 60, seconds),
    {
      what: 'inbox read during that backup, p99 (yardstick: without)',
      budget: { of: 'measured', atMost: 50 },
      unit: 'ms',
      figures: {
        measured: quantile(during, 0.99),
        yardstick: quantile(quiet, 0.99),
        ratio: quantile(during, 0.99) / quantile(quiet, 0.99),
      },
    },
  ]
}

function row(what: string, unit: Row['unit'], atMost: number, measured: number): Row {
  return { what, budget: { of: 'measured', atMost }, unit, figures: { measured } }
}
