import { once } from 'node:events'
import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { createServer, type IncomingMessage } from 'node:http'
import { createServer as createTlsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { daySeconds, steppedClock } from './support/clock.ts'
import { startHub } from './support/hub.ts'
import { startMachine, type TestMachine } from './support/machine.ts'
import { findTool, Newcomer, readJson } from './support/newcomer.ts'
import { machineNode } from './support/program.ts'
import { Recorder } from './support/recorder.ts'
import { sshProcesses, startSshd } from './support/sshd.ts'
import { testIdentity } from './support/test-identity.ts'
import { until } from './support/until.ts'

const otherKey = `sha256//${Buffer.alloc(32, 7).toString('base64')}`

/** Rewrites config.json of a machine. */
function configure(machine: TestMachine, more: Record<string, unknown>): void {
  const config = { machine: machine.name, sshHost: 'local', ...more }
  writeFileSync(join(machine.home, 'config.json'), JSON.stringify(config))
}

const tokenOf = (machine: TestMachine) => readFileSync(join(machine.home, 'token'), 'utf8').trim()

/** Creates a machine that has pinned the hub's key and reaches it through a proxy that records everything. */
async function pinned(name = 'sean', hubKey?: string) {
  const hub = await startHub()
  const recorder = await new Recorder(hub.url).listen()
  const machine = await startMachine(hub, name)
  const chas = await hub.join('chas')
  configure(machine, { hub: recorder.url.origin, hubKey: hubKey ?? hub.hubKey })
  return { hub, recorder, machine, chas }
}

/** Expects that only handshakes and encrypted data were sent. */
function expectSealed({ asked, text }: Recorder, secrets: string[]): void {
  // The client tests whether ssh is reachable by opening a connection without sending anything.
  const said = asked.filter(({ length }) => length > 0)
  expect(said.map(bytes => bytes[0])).toEqual(said.map(() => 0x16))
  for (const secret of [...secrets, 'Bearer', 'HTTP/1.1', 'chas']) expect(text).not.toContain(secret)
}

test('an eavesdropper sees neither a token nor a text, whatever the machine does', async () => {
  const { hub, recorder, machine, chas } = await pinned()
  const session = await machine.mcp()
  expect((await session.call('send', { to: 'chas', message: 'said by the tool' })).text).toMatch(/^Stored for chas/)
  expect(await machine.run(['send', 'chas', 'said by the command'])).toMatchObject({ code: 0 })
  await chas.client.call(api.sendMessage, { body: { to: 'sean', body: 'said to the machine' } })
  expect((await session.call('inbox')).text).toContain('said to the machine')
  const commands = [['inbox'], ['machines'], ['history'], ['policy'], ['update', '--check'], ['doctor']]
  const ran = await Promise.all(commands.map(command => machine.run(command)))
  expect(ran.map(({ code }) => code)).toEqual(commands.map(() => 0))
  await until('the session is online', async () => {
    const { members } = await hub.client(hub.adminToken).call(api.listMembers)
    return members.find(({ name }) => name === 'sean')?.online
  })
  expect(recorder.asked.length).toBeGreaterThan(7)
  expectSealed(recorder, [tokenOf(machine), 'said by', 'said to'])
})

/** Commands by which a machine communicates with its hub. */
const commands: [string, string[]][] = [
  ['send', ['send', 'chas', 'a text']],
  ['inbox', ['inbox']],
  ['machines', ['machines']],
  ['history', ['history']],
  ['policy', ['policy']],
  ['update', ['update']],
  ['doctor', ['doctor']],
]

test('a hub with another key receives nothing over any transport, and sends are kept', async () => {
  const { hub, recorder, machine, chas } = await pinned('sean', otherKey)
  const answers = await Promise.all(
    commands.map(async ([name, command]) => ({ name, ...(await machine.run(command)) })),
  )
  for (const { name, code, stdout, stderr } of answers) {
    expect([name, code]).toEqual([name, name === 'doctor' ? 1 : 75])
    expect(stdout + stderr).toContain(`it has the key ${hub.hubKey}, and this machine has pinned ${otherKey}`)
  }
  const session = await machine.mcp()
  expect((await session.call('send', { to: 'chas', message: 'a text' })).text).toMatch(/kept|waits/i)
  expect((await session.call('inbox')).isError).toBe(true)
  expect(existsSync(join(machine.home, 'claude-net.mjs'))).toBe(false)
  expect(recorder.asked.length).toBeGreaterThan(commands.length)
  expectSealed(recorder, [tokenOf(machine), 'a text'])
  expect((await chas.client.call(api.readInbox)).messages).toEqual([])

  configure(machine, { hub: recorder.url.origin, hubKey: hub.hubKey })
  await until('the send once the hub proves itself', async () => {
    await machine.run(['inbox'])
    return (await chas.client.call(api.readInbox)).messages.length === 2
  })
})

test('a process that took the port of a hub gets nothing by plain HTTP or with its own certificate, and messages wait for the hub', async () => {
  const { hub, recorder, machine, chas } = await pinned()
  const stolen: string[] = []
  const take = ({ method, url, headers }: IncomingMessage) =>
    void stolen.push(headers.authorization ?? `${method} ${url} without a token`)
  const { privateKey, certificate } = testIdentity
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
  const plain = createServer((request, response) => {
    take(request)
    response.end('{}')
  })
  const own = createTlsServer({ key, cert: certificate }, (request, response) => {
    take(request)
    response.end('{}')
  })
  for (const squatter of [plain, own]) {
    squatter.listen(0, '127.0.0.1')
    await once(squatter, 'listening')
    onTestFinished(() => {
      squatter.closeAllConnections()
      squatter.close()
    })
    recorder.forwardTo(new URL(`http://127.0.0.1:${(squatter.address() as AddressInfo).port}`))
    const refused = await machine.run(['send', 'chas', 'for the hub alone'])
    expect(refused).toMatchObject({ code: 75, stdout: expect.stringContaining('is not the hub of this machine') })
    expect(await machine.run(['update'])).toMatchObject({ code: 75 })
  }
  // A server with another key is asked only for a chain from the pinned key.
  expect(new Set(stolen)).toEqual(new Set(['GET /hub-key.json without a token']))
  expectSealed({ ...recorder, text: Buffer.concat(recorder.asked).toString('latin1') } as Recorder, [
    'for the hub alone',
  ])

  recorder.forwardTo(hub.url)
  const looked = await machine.run(['doctor'])
  expect(looked.stdout).toMatch(
    /^note +look +something else answered in the hub's place at \S+, \d times, last just now/m,
  )
  expect((await machine.run(['doctor'])).stdout).not.toContain('something else')
  const { lines } = await hub.client(hub.adminToken).call(api.listAudit, { query: { action: 'wrongHub' } })
  expect(lines).toMatchObject([
    { actor: 'sean', target: 'sean', detail: expect.stringContaining(testIdentity.hubKey), result: 'forbidden' },
  ])
  expect(await machine.run(['inbox'])).toMatchObject({ code: 0 })
  const { messages } = await chas.client.call(api.readInbox)
  expect(messages.map(({ body }) => body)).toEqual(['for the hub alone', 'for the hub alone'])
})

test('a hub that lost its key counts as another hub until the key is restored', async () => {
  const { hub, machine } = await pinned()
  configure(machine, { hub: hub.url.origin, hubKey: hub.hubKey })
  const [file, kept] = [join(hub.dataDir, 'identity.json'), `${hub.dataDir}.identity.json`]
  await hub.stop()
  renameSync(file, kept)
  await hub.start()
  expect(await machine.run(['inbox'])).toMatchObject({ code: 75, stderr: expect.stringContaining(hub.hubKey) })
  await hub.stop()
  rmSync(file)
  renameSync(kept, file)
  await hub.start()
  expect(await machine.run(['inbox'])).toMatchObject({ code: 0 })
})

test('through ssh the remote host can read nothing, and a hub with another key receives nothing', async context => {
  const sshd = await startSshd(context)
  const { hub, recorder, machine, chas } = await pinned()
  const at = `http://localhost:${recorder.url.port}`
  const env = { PATH: sshd.path }
  onTestFinished(() => {
    for (const { pid } of sshProcesses(join(machine.home, 'run'))) process.kill(pid, 'SIGKILL')
  })
  configure(machine, { sshHost: 'ovh5', hub: at, hubKey: hub.hubKey })
  expect(await machine.run(['send', 'chas', 'through ssh'], { env })).toMatchObject({ code: 0 })
  expect(await machine.run(['doctor'], { env })).toMatchObject({ code: 0 })
  configure(machine, { sshHost: 'ovh5', hub: at, hubKey: otherKey })
  for (const command of [['send', 'chas', 'not sent'], ['inbox'], ['update']]) {
    const { code, stdout, stderr } = await machine.run(command, { env })
    expect([command, code]).toEqual([command, 75])
    expect(stdout + stderr).toContain('is not the hub of this machine')
  }
  expect((await chas.client.call(api.readInbox)).messages.map(({ body }) => body)).toEqual(['through ssh'])
  expect(recorder.asked.length).toBeGreaterThan(3)
  expectSealed(recorder, [tokenOf(machine), 'through ssh', 'not sent'])
})

test('join uses neither its code nor a token at a hub with another key', async () => {
  const hub = await startHub()
  const recorder = await new Recorder(hub.url).listen()
  const sean = new Newcomer(hub)
  const code = await sean.invite()
  const join_ = (key: string) =>
    sean.sh(
      `printf '%s\\n' ${code} | ${machineNode} dist/claude-net.mjs join ${recorder.url.origin} --hub-key ${key} --machine seanclaude --no-claude --code-stdin --bin ${sean.bin}`.replace(
        'dist/',
        `${process.cwd()}/dist/`,
      ),
    )
  expect(await join_(otherKey)).toMatchObject({ code: 75, stderr: expect.stringContaining('is not the hub') })
  expect(await join_('sha256//short')).toMatchObject({ code: 2, stderr: expect.stringContaining('--hub-key') })
  expect(existsSync(join(sean.home, 'config.json'))).toBe(false)
  expect(await join_(hub.hubKey)).toMatchObject({ code: 0 })
  expectSealed(recorder, [code])
  expect(readJson(join(sean.home, 'config.json'))).toMatchObject({ hubKey: hub.hubKey })
})

test('the line of an invitation runs nothing that another hub serves, and its code stays valid', async context => {
  if (!findTool('curl')) context.skip('the join line needs curl, which is not installed here')
  const [hub, other] = [await startHub(), await startHub()]
  const sean = new Newcomer(hub)
  const line = sean.joinLine(await sean.invite(), '--no-claude')
  const astray = await sean.sh(line.replace(`:${hub.port}/`, `:${other.port}/`))
  expect(astray.stderr).toContain('(90)')
  expect(existsSync(sean.home)).toBe(false)
  expect(await sean.sh(line)).toMatchObject({ code: 0, stderr: '' })
})

test('a clock that is wrong by decades locks no machine out, also over IPv6', async context => {
  const clock = steppedClock(context)
  const hub = await startHub({ config: { host: '::' } })
  const machine = await startMachine(hub, 'sean')
  configure(machine, { hub: `http://[::1]:${hub.port}`, hubKey: hub.hubKey })
  for (const years of [-40, 60]) {
    clock.step(years * 365 * daySeconds)
    const { code, stdout } = await machine.run(['doctor'], { env: clock.env })
    expect([years, code, stdout]).toEqual([years, 0, expect.stringContaining('the hub knows this machine as sean')])
  }
})
