import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Home } from '../src/client/home.ts'
import { openMachine } from '../src/client/machine.ts'
import { api } from '../src/protocol/api.ts'
import { ClaudeNetError, type ErrorCode } from '../src/protocol/errors.ts'
import type { TestHub, TestMember } from './support/hub.ts'
import { startMachine, type TestMachine } from './support/machine.ts'
import { cleanEnv, machineNode, program } from './support/program.ts'
import { reachAt, startProxy } from './support/proxy.ts'
import { emptiedHub } from './support/shared-hub.ts'
import { until } from './support/until.ts'

const hubAlone = emptiedHub()

/** Creates ada, a machine on disk, and bob, a member who only reads. */
async function setting(): Promise<{ hub: TestHub; ada: TestMachine; bob: TestMember }> {
  const hub = await hubAlone()
  return { hub, ada: await startMachine(hub, 'ada'), bob: await hub.join('bob') }
}

/** Returns the names of the messages in `outbox/`, or in a folder of it, in order. */
function files({ home }: TestMachine, folder = ''): string[] {
  return readdirSync(join(home, 'outbox', folder)).filter(name => name.endsWith('.json'))
}

async function read(member: TestMember): Promise<{ id: string; body: string }[]> {
  const { messages, more } = await member.client.call(api.readInbox)
  expect(more).toBe(0)
  return messages.map(({ id, body }) => ({ id, body }))
}

/** Stores messages in the outbox while the hub is down, as processes of this machine would. Returns their ids. */
async function keep(machine: TestMachine, to: string, bodies: string[]): Promise<string[]> {
  const { outbox, client } = openMachine(new Home(machine.home))
  const ids: string[] = []
  for (const body of bodies) {
    const sent = await outbox.send({ to, body })
    expect(sent).toMatchObject({ kept: true, waiting: expect.any(Number) })
    if (sent.kept) ids.push(sent.id)
  }
  client.close()
  return ids
}

const idIn = (text: string) => /Message ([0-9a-f-]{36})\./.exec(text)?.[1]

test('without a hub the command keeps the message and says so, and the next command sends it under the same id, in order', async () => {
  const { hub, ada, bob } = await setting()
  await hub.stop()
  const first = await ada.run(['send', 'bob', 'one'])
  expect(first).toMatchObject({ code: 75, stdout: expect.stringMatching(/^Kept on this machine; it goes out when/) })
  expect(first.stdout).toContain('nothing listens there')
  const second = await ada.run(['send', 'bob', 'two'])
  expect(second).toMatchObject({ code: 75, stdout: expect.stringContaining('2 messages wait here, this one last') })

  expect(files(ada)).toHaveLength(2)
  for (const file of files(ada)) expect(statSync(join(ada.home, 'outbox', file)).mode & 0o777).toBe(0o600)
  expect(statSync(join(ada.home, 'outbox')).mode & 0o777).toBe(0o700)
  expect((await ada.run(['doctor'])).stdout).toContain('2 messages waiting for the hub')

  await hub.start()
  expect(await read(bob)).toEqual([])
  expect((await ada.run(['inbox'])).code).toBe(0)
  expect(await read(bob)).toEqual([
    { id: idIn(first.stdout), body: 'one' },
    { id: idIn(second.stdout), body: 'two' },
  ])
  expect(files(ada)).toEqual([])
})

test('without a hub the tool keeps the message and says so, and the session sends it once the hub is back', async () => {
  const { hub, ada, bob } = await setting()
  const session = await ada.mcp()
  await hub.stop()
  const kept = [await session.call('send', { to: 'bob', message: 'one' })]
  kept.push(await session.call('send', { to: 'bob', message: 'two' }))
  for (const { text, isError } of kept) {
    expect(isError).toBe(false)
    expect(text).toMatch(/^Kept on this machine; it goes out when the hub is back, so do not send it again\./)
  }
  await hub.start()
  await until('the session to drain the outbox', async () => files(ada).length === 0)
  expect(await read(bob)).toEqual([
    { id: idIn(kept[0]!.text), body: 'one' },
    { id: idIn(kept[1]!.text), body: 'two' },
  ])
})

test('a new send is queued behind waiting ones, even while another process sends those', async () => {
  const { hub, ada, bob } = await setting()
  const proxy = await startProxy(hub)
  await hub.stop()
  await keep(ada, 'bob', ['one'])
  await hub.start()
  reachAt(ada, proxy.url)
  const held = proxy.spoil('hold', 'POST /v1/messages')
  const draining = ada.run(['inbox'])
  await held
  const behind = await ada.run(['send', 'bob', 'two'])
  expect(behind).toMatchObject({ code: 75, stdout: expect.stringContaining('another process is sending what waits') })
  proxy.release()
  expect((await draining).code).toBe(0)
  expect((await ada.run(['send', 'bob', 'three'])).code).toBe(0)
  expect((await read(bob)).map(({ body }) => body)).toEqual(['one', 'two', 'three'])
  expect(files(ada)).toEqual([])
})

test('a send is stored after the waiting ones, and reported as stored', async () => {
  const { hub, ada, bob } = await setting()
  await hub.stop()
  await keep(ada, 'bob', ['one', 'two'])
  await hub.start()
  const session = await ada.mcp()
  const sent = await session.call('send', { to: 'bob', message: 'three' })
  expect(sent.text).toMatch(/^Stored for bob/)
  expect((await read(bob)).map(({ body }) => body)).toEqual(['one', 'two', 'three'])
})

test('processes that drain at once send each message once, in order', async () => {
  const { hub, ada, bob } = await setting()
  await hub.stop()
  const bodies = Array.from({ length: 40 }, (_, n) => `number ${n}`)
  const ids = await keep(ada, 'bob', bodies)
  await hub.start()
  const runs = await Promise.all([ada.run(['inbox']), ada.run(['inbox']), ada.run(['inbox'])])
  expect(runs.map(({ code }) => code)).toEqual([0, 0, 0])
  expect(await read(bob)).toEqual(bodies.map((body, n) => ({ id: ids[n], body })))
  expect(files(ada)).toEqual([])
})

test('a process that is killed while draining is replaced at once, and nothing is sent twice', async () => {
  const { hub, ada, bob } = await setting()
  const proxy = await startProxy(hub)
  await hub.stop()
  const ids = await keep(ada, 'bob', ['one', 'two', 'three'])
  await hub.start()
  reachAt(ada, proxy.url)
  const swallowed = proxy.spoil('swallow', 'POST /v1/messages', 1)
  const drainer = spawn(machineNode, [program, 'inbox'], { env: cleanEnv(ada.env), stdio: 'ignore' })
  await swallowed
  drainer.kill('SIGKILL')
  await once(drainer, 'exit')
  expect(await read(bob)).toHaveLength(2)
  expect(files(ada)).toHaveLength(2)

  expect(existsSync(join(ada.home, 'run', 'outbox.lock'))).toBe(true)
  expect((await ada.run(['inbox'])).code).toBe(0)
  expect(files(ada)).toEqual([])
  expect(await read(bob)).toEqual(['one', 'two', 'three'].map((body, n) => ({ id: ids[n], body })))
})

test('a kept message that is refused later is set aside, and reported once by the next tool result, and by doctor', async () => {
  const { hub, ada, bob } = await setting()
  await hub.stop()
  const typo = await ada.run(['send', 'bobb', 'to nobody'])
  expect(typo.code).toBe(75)
  await keep(ada, 'bob', ['to bob'])
  await hub.start()
  const notice = `refused and not sent (to bobb, ${idIn(typo.stdout)}): No member is called 'bobb'.`
  const { code, stdout: printed } = await ada.run(['inbox'])
  expect(code).toBe(0)
  expect(printed).toContain('Sent 1 message that waited for the hub (to bob).')
  expect(printed).toContain(notice)
  expect((await ada.run(['machines'])).stdout).not.toContain('bobb')
  expect(files(ada)).toEqual([])
  expect(files(ada, 'refused')).toHaveLength(1)
  expect((await read(bob)).map(({ body }) => body)).toEqual(['to bob'])

  const session = await ada.mcp()
  const told = (await session.call('machines')).text
  expect(told).toContain(notice)
  expect(told).toContain('Did you mean bob?')
  for (const tool of ['machines', 'inbox'] as const) expect((await session.call(tool)).text).not.toContain('bobb')
  const { stdout } = await ada.run(['doctor'])
  expect(stdout).toContain(`${idIn(typo.stdout)} (to bobb) was refused: No member is called 'bobb'.`)
})

test('a damaged file in the outbox is set aside and does not block the others', async () => {
  const { hub, ada, bob } = await setting()
  await hub.stop()
  await keep(ada, 'bob', ['one', 'two', 'three'])
  const [first, second] = files(ada) as [string, string]
  const outbox = join(ada.home, 'outbox')
  writeFileSync(join(outbox, first), readFileSync(join(outbox, first), 'utf8').slice(0, 20))
  writeFileSync(join(outbox, second), Buffer.alloc(64))
  await hub.start()
  expect((await ada.run(['inbox'])).code).toBe(0)
  expect((await read(bob)).map(({ body }) => body)).toEqual(['three'])
  expect(files(ada, 'refused')).toEqual([first, second])
  expect(statSync(join(outbox, 'refused', first)).size).toBe(20)
  const told = (await (await ada.mcp()).call('machines')).text
  expect(told.match(/A kept message was damaged on this disk/g)).toHaveLength(2)
  expect((await ada.run(['doctor'])).stdout).toContain('was damaged on this disk')
})

test('a damaged record of a refusal is reported as such, and tools and doctor still work', async () => {
  const { ada } = await setting()
  const refused = join(ada.home, 'outbox', 'refused')
  mkdirSync(refused, { recursive: true })
  writeFileSync(join(refused, '000000000001-x.json'), '{"id":')
  const session = await ada.mcp()
  expect(await session.call('machines')).toMatchObject({
    isError: false,
    text: expect.stringContaining('was damaged on this disk'),
  })
  expect((await session.call('machines')).text).not.toContain('damaged')
  expect((await ada.run(['doctor'])).stdout).toContain('was damaged on this disk')
})

test.each<ErrorCode>(['rate_limited', 'unauthorized', 'unavailable'])(
  "a hub that responds with '%s' loses no kept message",
  async code => {
    const { hub, ada, bob } = await setting()
    const error = new ClaudeNetError(code, 'Not now.', 'Later.', code === 'rate_limited' ? 1000 : undefined)
    const asked: string[] = []
    const other = createServer((request, response) => {
      asked.push(`${request.method} ${request.url}`)
      request.resume()
      response.writeHead(error.status, { 'content-type': 'application/json' }).end(JSON.stringify(error.toBody()))
    }).listen(0, '127.0.0.1')
    onTestFinished(() => void other.close())
    await once(other, 'listening')

    await hub.stop()
    const ids = await keep(ada, 'bob', ['one', 'two'])
    reachAt(ada, new URL(`http://127.0.0.1:${(other.address() as AddressInfo).port}`))
    expect((await ada.run(['inbox'])).code).not.toBe(0)
    // A new send with an invalid token is refused, and the message is not kept.
    const isKept = code !== 'unauthorized'
    expect(await ada.run(['send', 'bob', 'three'])).toMatchObject(
      isKept
        ? { code: 75, stdout: expect.stringMatching(/^Kept.*\nWhy: Not now\./) }
        : { code: 1, stdout: '', stderr: expect.stringMatching(/^claude-net: Not now\.\n/) },
    )
    expect(asked.filter(line => line === 'POST /v1/messages')).toHaveLength(2)
    expect(files(ada)).toHaveLength(isKept ? 3 : 2)

    await hub.start()
    reachAt(ada, hub.url)
    await ada.run(['inbox'])
    const messages = await read(bob)
    expect(messages.map(({ body }) => body)).toEqual(['one', 'two', ...(isKept ? ['three'] : [])])
    expect(messages.slice(0, 2).map(({ id }) => id)).toEqual(ids)
  },
)

test('one tool call is one message, however often it is repeated, with or without a hub', async () => {
  const { hub, ada, bob } = await setting()
  const session = await ada.mcp()
  const call = (message: string, use: string) => session.call('send', { to: 'bob', message }, use)
  const stored = [await call('one', 'toolu_1'), await call('one', 'toolu_1')]
  expect(stored[1]).toEqual(stored[0])
  await hub.stop()
  const kept = [await call('two', 'toolu_2'), await call('two', 'toolu_2')]
  expect(kept.map(({ text }) => idIn(text))).toEqual([idIn(kept[0]!.text), idIn(kept[0]!.text)])
  await hub.start()
  await ada.run(['inbox'])
  expect(await read(bob)).toEqual([
    { id: idIn(stored[0]!.text), body: 'one' },
    { id: idIn(kept[0]!.text), body: 'two' },
  ])
})

test('a send without a response is kept when its session or command ends, and is sent later under its id, once', async () => {
  const { hub, ada, bob } = await setting()
  const silent = createServer(() => {}).listen(0, '127.0.0.1')
  onTestFinished(() => void silent.closeAllConnections())
  onTestFinished(() => void silent.close())
  await once(silent, 'listening')
  reachAt(ada, new URL(`http://127.0.0.1:${(silent.address() as AddressInfo).port}`))

  const session = await ada.mcp()
  const asked = once(silent, 'request')
  const unanswered = session.call('send', { to: 'bob', message: 'from a session' }).catch(() => {})
  await asked
  await session.close()
  await unanswered
  await until('the session has the message in its outbox', () => files(ada).length === 1)

  const command = spawn(machineNode, [program, 'send', 'bob', 'from a command'], { env: cleanEnv(ada.env) })
  await until('the command has the message in its outbox', () => files(ada).length === 2)
  await once(command, 'exit')

  reachAt(ada, hub.url)
  await ada.run(['inbox'])
  expect((await read(bob)).map(({ body }) => body)).toEqual(['from a session', 'from a command'])
})

test('a refusal of the request itself, for its address or path, loses no kept message', async () => {
  const { hub, ada, bob } = await setting()
  await hub.stop()
  await keep(ada, 'bob', ['one'])
  await hub.start()
  reachAt(ada, new URL(`http://not-ours.localhost:${hub.port}`))
  await ada.run(['inbox'])
  expect(files(ada)).toHaveLength(1)
  reachAt(ada, hub.url)
  await ada.run(['inbox'])
  expect((await read(bob)).map(({ body }) => body)).toEqual(['one'])
})
