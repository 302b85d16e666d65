import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { expect, onTestFinished, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import type { TestMachine } from './support/machine.ts'
import { cleanEnv, machineNode, program } from './support/program.ts'
import { reachAt, startProxy } from './support/proxy.ts'
import { raw } from './support/raw.ts'
import { emptiedHub } from './support/shared-hub.ts'
import { twoMembers } from './support/two-members.ts'
import { until } from './support/until.ts'

const hubAlone = emptiedHub()

test('prints all unread messages, then new ones, without gap or repetition when the hub restarts or crashes', async () => {
  const { hub, sean, chas } = await twoMembers(hubAlone)
  const sent: string[] = []
  const send = async () => {
    sent.push((await chas.client.call(api.sendMessage, { body: { to: 'seanclaude', body: 'hello' } })).id)
  }
  for (let n = 0; n < 3; n++) await send()
  const watching = watch(sean, '--json')
  const seen = () => watching.lines.map(line => JSON.parse(line)).filter(({ event }) => event === 'inbox')
  const caughtUp = () => until(`${sent.length} events`, () => seen().length >= sent.length)
  await caughtUp()
  await send()
  await caughtUp()

  await hub.stop()
  await hub.start()
  for (let n = 0; n < 3; n++) await send()
  await caughtUp()
  await send()
  await hub.crashAndRestart()
  for (let n = 0; n < 3; n++) await send()
  await caughtUp()
  // A repeated event would be printed before this one.
  await send()
  await caughtUp()
  expect(seen().map(({ data }) => data.id)).toEqual(sent)
  expect(seen().at(-1)).toMatchObject({
    data: { from: 'chasclaude', unread: sent.length },
    cursor: expect.any(String),
  })
  expect(watching.stderr()).toMatch(
    /^(claude-net: The hub at .* cannot be reached: .*Trying again until it is back\.\n)+$/,
  )
  expect(await watching.stop('SIGTERM')).toBe(0)
})

test('prints messages, receipts and presence in words; Ctrl-C ends it', async () => {
  const { hub, sean, chas } = await twoMembers(hubAlone)
  const incoming = await chas.client.call(api.sendMessage, { body: { to: 'seanclaude', body: 'hello' } })
  const watching = watch(sean)
  await until('the first message', () => watching.lines.length > 2)
  const outgoing = await sean.run(['send', 'chasclaude', 'hello', '--json'])
  const { id } = JSON.parse(outgoing.stdout).answer
  await chas.client.call(api.markFetched, { body: { ids: [id], session: 'test-1' } })
  await until('the receipt', () => watching.lines.some(line => line.includes('fetched')))
  await chas.client.call(api.ackInbox, { body: { ids: [id] } })
  await until('the receipt', () => watching.lines.some(line => line.includes('acked')))
  await chas.client.call(api.heartbeat, { body: { session: 'test-1', client: 'test' } })
  await until('presence', () => watching.lines.length >= 6)
  const [first, ...rest] = watching.lines
  expect(first).toBe('Watching as seanclaude: unread messages first, then new events. Ctrl-C ends it.')
  expect(withoutTimes(rest)).toEqual([
    `chasclaude → you · request · 1 unread · ${incoming.id}`,
    '          > hello',
    `chasclaude fetched ${id}`,
    `chasclaude acked ${id}`,
    'chasclaude is online',
  ])
  expect(await watching.stop('SIGINT')).toBe(0)
  expect(watching.stderr()).toBe('')
  expect(hub.log).not.toContain('"level":50')
})

test('a receipt that arrives while the connection is broken is shown, even if nothing was shown before', async () => {
  const { hub, sean, chas } = await twoMembers(hubAlone)
  const { id } = JSON.parse((await sean.run(['send', 'chasclaude', 'hello', '--json'])).stdout).answer
  const proxy = await startProxy(hub)
  reachAt(sean, proxy.url)
  const watching = watch(sean)
  await until('the stream', async () =>
    /^claude_net_open_streams 1$/m.test((await raw(hub, { path: '/metrics' })).text),
  )
  // Presence has no cursor of its own; once it is shown, earlier events have arrived too.
  await chas.client.call(api.heartbeat, { body: { session: 'test-1', client: 'test' } })
  await until('presence', () => watching.lines.length > 1)
  await proxy.refuse()
  await chas.client.call(api.ackInbox, { body: { ids: [id] } })
  await proxy.accept()
  await until('the receipt', () => watching.lines.length > 2, 90_000)
  expect(withoutTimes(watching.lines.slice(1))).toEqual(['chasclaude is online', `chasclaude acked ${id}`])
})

/** Returns the lines without the time of day in front. */
function withoutTimes(lines: string[]): string[] {
  return lines.map(line => line.replace(/^[0-2]\d:[0-5]\d:[0-5]\d {2}/, ''))
}

interface Watching {
  /** Lines of its output so far. */
  lines: string[]
  stderr: () => string
  stop: (signal: NodeJS.Signals) => Promise<number | null>
}

/** Starts `claude-net watch` as `machine`. It runs until it is stopped or the test ends. */
function watch(machine: TestMachine, ...options: string[]): Watching {
  const child = spawn(machineNode, [program, 'watch', ...options], { env: cleanEnv(machine.env) })
  onTestFinished(() => void child.kill('SIGKILL'))
  const lines: string[] = []
  let [rest, stderr] = ['', '']
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    const parts = (rest + text).split('\n')
    rest = parts.pop()!
    lines.push(...parts)
  })
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  return {
    lines,
    stderr: () => stderr,
    stop: async signal => {
      child.kill(signal)
      const [code] = (await once(child, 'exit')) as [number | null]
      return code
    },
  }
}
