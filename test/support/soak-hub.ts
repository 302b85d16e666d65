// A hub in a process of its own, to be killed: `soak-hub.ts DATA-DIR ENTRIES-FILE SEED STARTED-AT`. It executes random commands until its
// standard input ends, then closes. Each batch is appended to the entries file as a line before it is applied: after a kill, the last
// batches may not be in the store, and the next process reuses their numbers. Prints `ready` once the members exist.
import { appendFileSync, mkdirSync } from 'node:fs'
import { openHub } from '../../src/hub/open-hub.ts'
import { ClaudeNetError } from '../../src/protocol/errors.ts'
import { busyHour, busyMembers } from './busy-hour.ts'
import { seededRandom } from './random.ts'

const [dataDir, entriesFile, seed, startedAt] = process.argv.slice(2) as [string, string, string, string]

/** Factor by which the clocks run faster, so that messages expire and texts are deleted within seconds. */
const clockSpeed = 100_000

const clock = () => Number(startedAt) + (Date.now() - Number(startedAt)) * clockSpeed
const fail = (what: unknown) => {
  throw what
}
mkdirSync(dataDir, { recursive: true })
const hub = openHub({ dataDir, now: clock, monotonic: clock, onBug: (_, error) => fail(error), onStorageError: fail })
const { state } = hub
// Ends a line that a kill left incomplete.
appendFileSync(entriesFile, '\n')
for (const way of ['applyBatch', 'applyUnsettled'] as const) {
  const apply = state[way].bind(state)
  state[way] = (entries, ...rest) => {
    appendFileSync(entriesFile, `${JSON.stringify(entries)}\n`)
    return apply(entries, ...rest)
  }
}

/** Minimum number of entries before it ends. */
const leastEntries = 1000

let isEnding = false
process.stdin.on('end', () => (isEnding = true)).resume()
if (state.position.seq === 0) for (const command of busyMembers) await hub.submit(command)
process.stdout.write('ready\n')
const random = seededRandom(Number(seed))
const commands = busyHour(random)
while (!isEnding || state.position.seq < leastEntries) {
  const burst = Array.from({ length: random() < 0.2 ? 6 : 1 }, () => commands.next().value)
  await Promise.all(
    burst.map(command =>
      hub.submit(command).catch(error => {
        if (!(error instanceof ClaudeNetError) || error.code === 'internal') fail(error)
      }),
    ),
  )
}
await hub.close()
