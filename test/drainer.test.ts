import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { isRunning } from '../src/disk/process-identity.ts'
import { api } from '../src/protocol/api.ts'
import { startMachine, type TestMachine } from './support/machine.ts'
import { emptiedHub } from './support/shared-hub.ts'
import { until } from './support/until.ts'

const hubAlone = emptiedHub()

const env = { CLAUDE_NET_DRAINER: 'on' }

/** Returns the process that drains the outbox of this machine, once it runs. It is killed with the test unless it has ended. */
async function drainerOf({ home }: TestMachine): Promise<number> {
  const owner = join(home, 'run', 'drainer.lock.owner')
  const pid = await until('a drainer', () => {
    try {
      return (JSON.parse(readFileSync(owner, 'utf8')) as { pid: number }).pid
    } catch {
      return undefined // It does not exist yet, or is being written.
    }
  })
  onTestFinished(() => {
    if (isRunning(pid)) process.kill(pid, 'SIGKILL')
  })
  return pid
}

/** Reports whether a process has ended. A zombie counts as ended: in some containers no parent reaps it. */
function hasEnded(pid: number): boolean {
  return !isRunning(pid) || readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ')
}

test('without a session, kept messages are sent once the hub is back, by one process that then exits', async () => {
  const hub = await hubAlone()
  const [ada, bob] = [await startMachine(hub, 'ada'), await hub.join('bob')]
  await hub.stop()
  expect(await ada.run(['send', 'bob', 'one'], { env })).toMatchObject({ code: 75 })
  const first = await drainerOf(ada)
  expect(await ada.run(['send', 'bob', 'two'], { env })).toMatchObject({ code: 75 })
  expect(await drainerOf(ada)).toBe(first)

  // A killed drainer is replaced by the next command, which does not wait for its lock to become stale.
  process.kill(first, 'SIGKILL')
  await until('it has ended', () => hasEnded(first))
  expect((await ada.run(['doctor'], { env })).stdout).toContain('They go out by themselves when it is back.')
  const second = await until('another drainer', async () => {
    const pid = await drainerOf(ada)
    return pid !== first && pid
  })
  await hub.start()
  const messages = await until('both have arrived', async () => {
    const { messages } = await bob.client.call(api.readInbox)
    return messages.length === 2 && messages
  })
  expect(messages.map(({ body }) => body)).toEqual(['one', 'two'])
  await until('the process has ended', () => hasEnded(second))
  expect(readdirSync(join(ada.home, 'run'))).toEqual([])
})

test('the drainer exits when its home is removed, and does not create it again', async () => {
  const hub = await hubAlone()
  const ada = await startMachine(hub, 'ada')
  await hub.stop()
  await ada.run(['send', 'bob', 'one'], { env })
  const pid = await drainerOf(ada)
  rmSync(ada.home, { recursive: true })
  await until('it has ended', () => hasEnded(pid))
  expect(existsSync(ada.home)).toBe(false)
})
