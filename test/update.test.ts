import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { copyFileSync, existsSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer as createPlainServer, type RequestListener } from 'node:http'
import { createServer } from 'node:https'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { version } from '../src/protocol/version.ts'
import { startHub, type TestHub } from './support/hub.ts'
import { startMachine, type TestMachine } from './support/machine.ts'
import { cleanEnv, machineNode, program, type Ran, ranOf } from './support/program.ts'
import { raw } from './support/raw.ts'
import { testIdentity } from './support/test-identity.ts'

// Each test starts several programs, which takes long on a busy machine.
vi.setConfig({ testTimeout: 180_000 })

/** Creates a machine whose client is an older build than the hub's. */
async function machineBehind(): Promise<{ hub: TestHub; sean: TestMachine; client: string }> {
  const hub = await startHub()
  const sean = await startMachine(hub, 'seanclaude')
  const client = join(sean.home, 'claude-net.mjs')
  writeFileSync(client, readFileSync(program, 'utf8').replaceAll(version, '0.0.9'))
  expect((await onMachine(sean, 'pin')).code).toBe(0)
  return { hub, sean, client }
}

const { privateKey, certificate, hubKey } = testIdentity

/** Makes a server with the handler `answer` the hub of the machine, with a key that the machine has pinned. Closed with the test. */
async function playHub(machine: TestMachine, answer: RequestListener): Promise<void> {
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
  const server = createServer({ key, cert: certificate }, answer).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => server.closeAllConnections())
  onTestFinished(() => void server.close())
  const { port } = server.address() as { port: number }
  const config = { machine: 'seanclaude', sshHost: 'local', hub: `http://127.0.0.1:${port}`, hubKey }
  writeFileSync(join(machine.home, 'config.json'), JSON.stringify(config))
}

/** Runs a command with the client that is installed on the machine. */
async function onMachine(machine: TestMachine, ...args: string[]): Promise<Ran> {
  const child = spawn(machineNode, [join(machine.home, 'claude-net.mjs'), ...args], { env: cleanEnv(machine.env) })
  return ranOf(child)
}

test("an outdated machine installs the hub's client as a whole, and can go back", async () => {
  const { hub, sean, client } = await machineBehind()
  const [old, offered] = [readFileSync(client), readFileSync(program)]
  expect((await onMachine(sean, 'version')).stdout).toBe('0.0.9\n')
  expect((await onMachine(sean, 'doctor')).stdout).toMatch(/this client is 0\.0\.9, the hub .*\n.* update\n/)
  const checked = await onMachine(sean, 'update', '--check')
  const sha256 = createHash('sha256').update(offered).digest('hex')
  expect(checked.stdout).toBe(
    `The hub has another build: ${version} (sha256 ${sha256}); this is 0.0.9. Take it with: claude-net update\n`,
  )
  expect(readFileSync(client)).toEqual(old)

  const updated = await onMachine(sean, 'update', '--json')
  const by = `the key ${hub.hubKey}`
  expect(JSON.parse(updated.stdout)).toMatchObject({ updated: true, from: '0.0.9', version, sha256, provenBy: by })
  expect(readFileSync(client)).toEqual(offered)
  expect((await onMachine(sean, 'update')).stdout).toBe(
    `This machine has the hub's version, ${version} (sha256 ${sha256}).\n`,
  )
  expect((await onMachine(sean, 'inbox')).code).toBe(0)

  expect((await onMachine(sean, 'update', '--back')).stdout).toContain('This machine runs 0.0.9 now')
  expect(readFileSync(client)).toEqual(old)
  expect((await onMachine(sean, 'update', '--back')).code).toBe(0)
  expect(readFileSync(client)).toEqual(offered)
})

test('no program is requested from an unproven hub; on its own host the directory proves it', async () => {
  const { hub, sean, client } = await machineBehind()
  const before = readFileSync(client)
  let asked = 0
  // A process at the hub's port that speaks plain HTTP and offers a program of its own.
  const squatter = createPlainServer((_, answer) => {
    asked++
    answer.end('process.exit(1)')
  }).listen(0, '127.0.0.1')
  await once(squatter, 'listening')
  onTestFinished(() => void squatter.close())
  const { port } = squatter.address() as { port: number }
  const config = { machine: 'seanclaude', sshHost: 'local', hub: `http://127.0.0.1:${port}` }
  writeFileSync(join(sean.home, 'config.json'), JSON.stringify(config))
  for (const args of [['update'], ['update', '--check'], ['update', '--json']]) {
    const { code, stdout, stderr } = await onMachine(sean, ...args)
    expect([code, stdout]).toEqual([1, ''])
    expect(stderr).toMatch(/has not proven that it is the hub.* pin/s)
  }
  expect([asked, readFileSync(client).equals(before)]).toEqual([0, true])
  const updated = await onMachine(sean, 'update', '--data', hub.dataDir)
  expect(updated.stdout).toMatch(new RegExp(`runs ${version} now.*proven itself by the owner of`, 's'))
  expect(readFileSync(client)).toEqual(readFileSync(program))
})

test('the hub states version and hash of its client', async () => {
  const hub = await startHub()
  const file = readFileSync(program)
  expect((await raw(hub, { path: '/client/claude-net.json' })).json).toEqual({
    version,
    bytes: file.byteLength,
    sha256: createHash('sha256').update(file).digest('hex'),
  })
})

test.for(['cut', 'other bytes', 'endless', 'not a program'] as const)(
  'a client that arrives %s is not installed, and the machine keeps its own',
  async (fault, context) => {
    const { hub, sean, client } = await machineBehind()
    const before = readFileSync(client)
    const good = readFileSync(program)
    const other = Buffer.from(good)
    other[1000]! ^= 1
    const fake = Buffer.from('process.exit(1)\n')
    const announced = fault === 'not a program' ? fake : good
    // A hub whose response was altered.
    await playHub(sean, (request, answer) => {
      if (request.url === '/client/claude-net.json') {
        const sha256 = createHash('sha256').update(announced).digest('hex')
        answer.end(JSON.stringify({ version, bytes: announced.byteLength, sha256 }))
      } else if (fault === 'cut') {
        answer.writeHead(200, { 'content-length': good.byteLength })
        answer.write(good.subarray(0, 5000), () => answer.destroy())
      } else if (fault === 'endless') {
        const more = () => answer.write(good, () => setImmediate(more))
        more()
      } else answer.end(fault === 'other bytes' ? other : fake)
    })

    const { code, stdout, stderr } = await onMachine(sean, 'update')
    expect([code, stdout]).toEqual([fault === 'not a program' ? 1 : 75, ''])
    expect(stderr).toMatch(/Nothing was changed\./)
    expect(readFileSync(client)).toEqual(before)
    expect(existsSync(join(sean.home, 'claude-net.next.mjs'))).toBe(false)
    context.expect(hub.log).not.toContain('"level":50')
  },
)

test('a hub that cannot serve a client is reported as such', async () => {
  const { sean } = await machineBehind()
  await playHub(sean, (_, answer) => {
    answer.writeHead(404, { 'content-type': 'application/json' })
    answer.end(JSON.stringify({ error: { code: 'not_found', message: 'There is no GET on this path.', hint: 'x' } }))
  })
  copyFileSync(program, join(sean.home, 'claude-net.mjs'))
  expect(await onMachine(sean, 'update')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('too old to hand out'),
  })
  expect(await onMachine(sean, 'update', '--back')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('No earlier version'),
  })
})
