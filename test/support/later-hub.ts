import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { LocalJournal } from '../../src/hub/journal/local.ts'
import { SteadyClock } from '../../src/hub/journal/steady-clock.ts'
import { deliverDue } from '../../src/hub/push/due-later.ts'
import type { Command } from '../../src/hub/state/commands.ts'
import { noticesToSenders } from '../../src/hub/state/notify-senders.ts'
import { State } from '../../src/hub/state/state.ts'
import { newMessageId } from '../../src/protocol/ids.ts'

/**
 * Delivers scheduled messages as a hub does, but without listening on a port, so that it starts quickly. Uses the directory in its first
 * argument and runs until it is killed. Writes each acknowledged send to stdout as a line with its id and its number of recipients. The
 * second recipient refuses messages.
 */
const state = new State(join(process.argv[2]!, 'hub.db'))
const clock = new SteadyClock({ last: state.position, now: Date.now, monotonic: () => performance.now() })
const journal = new LocalJournal(state, clock)
journal.start({
  onEffects: () => {},
  onBug: (_, error) => {
    throw error
  },
  onStorageError: error => {
    throw error
  },
})
const submit = (command: Command) => journal.submit(command)

if (state.position.seq === 0) {
  for (const name of ['ana', 'ben', 'cat']) await submit({ type: 'member.add', name, kind: 'machine' })
  await submit({ type: 'member.policy', by: 3, inbound: 'refuse' })
}

async function send(n: number): Promise<void> {
  const id = newMessageId()
  const to = n % 2 === 0 ? ['ben', 'cat'] : ['ben']
  const { ok } = await submit({ type: 'message.send', id, by: 1, to, body: 'hello', at: Date.now() + 5 + (n % 7) * 5 })
  if (ok) process.stdout.write(`${id} ${to.length}\n`)
}

for (let n = 0; ; n++) {
  await Promise.all([
    send(n),
    deliverDue(state.db, () => clock.read().steady, submit),
    ...noticesToSenders(state.db).map(command => submit(command)),
    delay(2),
  ])
}
