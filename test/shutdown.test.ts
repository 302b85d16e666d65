import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, existsSync, openSync, readFileSync, statSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { describe, expect, onTestFinished, test } from 'vitest'
import { check } from '../prove/checker/check.ts'
import { History } from '../prove/checker/history.ts'
import { api } from '../src/protocol/api.ts'
import { dumpInboxes } from './support/dump.ts'
import { startHub, type TestHub } from './support/hub.ts'
import { Listener } from './support/listener.ts'
import { startMachine, type TestMachine } from './support/machine.ts'
import { cleanEnv, hubNode, machineNode, program, run } from './support/program.ts'
import { printedSeed, seededRandom } from './support/random.ts'
import { emptiedHub } from './support/shared-hub.ts'
import { readAlong, sendAlong } from './support/traffic.ts'
import { until } from './support/until.ts'

describe('a hub that is asked to stop', () => {
  test.each(['SIGTERM', 'SIGINT'] as const)(
    '(%s) under load exits with 0, and all its responses were true',
    { timeout: 120_000 },
    async signal => {
      const seed = printedSeed()
      const hub = await startHub()
      const senders = await Promise.all(['s1', 's2', 's3', 's4'].map(name => hub.join(name)))
      const readers = await Promise.all(['r1', 'r2'].map(name => hub.join(name)))
      const history = new History()
      const enough = new AbortController()
      const options = (n: number) => ({ history, random: seededRandom(seed + n), signal: enough.signal })
      const inboxes = readers.map(({ name }) => name)
      const traffic = Promise.all([
        ...senders.map((sender, n) => sendAlong(sender, inboxes, options(1 + n))),
        ...readers.map((reader, n) => readAlong(reader, options(101 + n))),
      ])
      for (let round = 0; round < 3; round++) {
        const streams = await Promise.all(readers.map(({ client }) => new Listener(client).opened()))
        const before = history.count('send', 'ok')
        await until('traffic', () => history.count('send', 'ok') > before + 10 && history.underWay > 0)
        expect(await hub.stop(signal)).toBe(0)
        for (const { ended } of streams) await expect(ended).resolves.toBeUndefined()
        expect(existsSync(join(hub.dataDir, 'hub.url'))).toBe(false)
        expect(bytesOf(join(hub.dataDir, 'hub.db-wal'))).toBe(0)
        await hub.start()
      }
      enough.abort()
      await traffic
      expect(check(history.lines, await dumpInboxes(hub, readers)).slice(0, 20)).toEqual([])
    },
  )

  test('does not wait for clients that do not finish', async () => {
    const hub = await startHub()
    const { token } = await hub.join('ada')
    const head = `POST /v1/messages HTTP/1.1\r\nhost: 127.0.0.1\r\nauthorization: Bearer ${token}\r\n`
    const beginnings = ['', head, `${head}content-type: application/json\r\ncontent-length: 100\r\n\r\n{"to":`]
    for (const beginning of beginnings) {
      const socket = connect(hub.port, '127.0.0.1').on('error', () => {})
      onTestFinished(() => void socket.destroy())
      await once(socket, 'connect')
      await new Promise(resolve => socket.write(beginning, resolve))
    }
    // This response follows the other requests, so the hub has received all of them.
    await hub.client().call(api.health)
    expect(await hub.stop('SIGTERM')).toBe(0)
  })
})

test('a second hub on the same data directory exits with one clear sentence, and the first continues', async () => {
  const hub = await startHub()
  const [ada, bob] = [await hub.join('ada'), await hub.join('bob')]
  const second = await run(['hub', '--host', '127.0.0.1', '--port', '0', '--data', hub.dataDir], { node: hubNode })
  expect(second.code).toBe(1)
  expect(second.stderr).toContain(`Another hub is running on ${hub.dataDir}.`)
  expect(existsSync(join(hub.dataDir, 'hub.url'))).toBe(true)
  await ada.client.call(api.sendMessage, { body: { to: 'bob', body: 'still here' } })
  expect((await bob.client.call(api.readInbox)).unread).toBe(1)
  await hub.crashAndRestart()
  expect((await bob.client.call(api.readInbox)).unread).toBe(1)
})

describe('the server of a session leaves, and the machine is offline at once,', () => {
  const ends: Record<string, (server: ChildProcess) => void> = {
    'when its stdin ends': server => server.stdin!.end(),
    'on SIGTERM': server => void server.kill('SIGTERM'),
    'on SIGINT': server => void server.kill('SIGINT'),
    'when its client closes every pipe': server => {
      server.stdin!.destroy()
      server.stdout!.destroy()
    },
  }

  const hubAlone = emptiedHub()

  test.each(Object.keys(ends))('%s', async how => {
    const hub = await hubAlone()
    const server = await startServer(hub, await startMachine(hub, 'ada'))
    ends[how]!(server)
    expect(await exitOf(server)).toBe(0)
    await offline(hub, 'ada')
  })

  test('when its parent is killed while another process holds its stdin open', async () => {
    const hub = await hubAlone()
    const machine = await startMachine(hub, 'ada')
    const fifo = join(machine.userHome, 'stdin')
    execFileSync('mkfifo', [fifo])
    // Opened for writing here too, so the pipe stays open when the parent ends.
    const stdin = openSync(fifo, 'r+')
    onTestFinished(() => closeSync(stdin))
    const parent = spawn('sh', ['-c', '"$0" "$@"; exit $?', machineNode, program, 'mcp'], {
      env: cleanEnv(machine.env),
      stdio: [stdin, 'ignore', 'inherit'],
    })
    const session = await until('the session to be online', () => sessionOf(hub, 'ada'))
    const pid = Number(session.split('-').at(-1))
    onTestFinished(() => void (isRunning(pid) && process.kill(pid, 'SIGKILL')))
    parent.kill('SIGKILL')
    await until('the end of the server', () => !isRunning(pid))
    await offline(hub, 'ada')
  })

  test('soon, even if the hub does not respond, with a call and an ack in progress', async () => {
    const hub = await hubAlone()
    const [ada, bob] = [await startMachine(hub, 'ada'), await hub.join('bob')]
    await bob.client.call(api.sendMessage, { body: { to: 'ada', body: 'hello' } })
    const server = await startServer(hub, ada)
    const say = (message: object) => server.stdin!.write(`${JSON.stringify({ jsonrpc: '2.0', ...message })}\n`)
    const clientInfo = { name: 'claude-code', version: '2.1.330' }
    say({ id: 1, method: 'initialize', params: { protocolVersion: '2025-11-25', capabilities: {}, clientInfo } })
    say({ method: 'notifications/initialized' })
    say({ id: 2, method: 'tools/call', params: { name: 'claude_net_inbox', arguments: { ack: true } } })
    let heard = ''
    server.stdout!.setEncoding('utf8').on('data', text => (heard += text))
    await until('the inbox', () => heard.includes('> hello'))

    process.kill(hub.pid, 'SIGSTOP')
    onTestFinished(() => void process.kill(hub.pid, 'SIGCONT'))
    say({ id: 3, method: 'tools/call', params: { name: 'claude_net_machines' } })
    await delay(100)
    server.stdin!.end()
    expect(await exitOf(server)).toBe(0)
  })
})

function bytesOf(path: string): number {
  return statSync(path, { throwIfNoEntry: false })?.size ?? 0
}

/** Starts the MCP server of a machine and waits until the hub has received its session. */
async function startServer(hub: TestHub, machine: TestMachine): Promise<ChildProcess> {
  const server = spawn(machineNode, [program, 'mcp'], {
    env: cleanEnv(machine.env),
    stdio: ['pipe', 'pipe', 'inherit'],
  })
  onTestFinished(() => void server.kill('SIGKILL'))
  await until('the session to be online', () => isOnline(hub, machine.name))
  return server
}

async function exitOf(server: ChildProcess): Promise<number | string> {
  if (server.exitCode === null && server.signalCode === null)
    await once(server, 'exit', { signal: AbortSignal.timeout(90_000) })
  return server.exitCode ?? server.signalCode!
}

/** Resolves when `name` is offline, well before missed heartbeats would show it. */
async function offline(hub: TestHub, name: string): Promise<void> {
  await until(`${name} to be offline`, async () => !(await isOnline(hub, name)), 10_000)
}

async function isOnline(hub: TestHub, name: string): Promise<boolean> {
  return (await sessionOf(hub, name)) !== undefined
}

async function sessionOf(hub: TestHub, name: string): Promise<string | undefined> {
  const { members } = await hub.client(hub.adminToken).call(api.listMachines)
  return members.find(member => member.name === name)?.sessions[0]?.session
}

/** Reports whether a process runs. A zombie does not. */
function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
  } catch {
    return false
  }
  return !isZombie(pid)
}

function isZombie(pid: number): boolean {
  try {
    return /\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
