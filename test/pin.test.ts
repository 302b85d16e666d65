import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer as createPlainServer, type IncomingMessage, type RequestListener, type Server } from 'node:http'
import { createServer, request as tlsRequest } from 'node:https'
import { join } from 'node:path'
import { buffer, text } from 'node:stream/consumers'
import { expect, onTestFinished, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { newNonce } from '../src/protocol/hub-proof.ts'
import { parseToken } from '../src/protocol/token.ts'
import { startHub, type TestHub } from './support/hub.ts'
import { startLaptop } from './support/laptop.ts'
import { startMachine, type TestMachine } from './support/machine.ts'
import { errorOf, raw } from './support/raw.ts'
import { sharedHub } from './support/shared-hub.ts'
import { testIdentity } from './support/test-identity.ts'

const hub = sharedHub()

const configOf = ({ home }: TestMachine) => JSON.parse(readFileSync(join(home, 'config.json'), 'utf8'))
const tokenOf = ({ home }: TestMachine) => readFileSync(join(home, 'token'), 'utf8').trim()

/** Makes `server` the hub of the machine. Closed with the test. */
async function listen(server: Server, machine: TestMachine): Promise<void> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => server.closeAllConnections())
  onTestFinished(() => void server.close())
  const { port } = server.address() as { port: number }
  const config = { machine: machine.name, sshHost: 'local', hub: `http://127.0.0.1:${port}` }
  writeFileSync(join(machine.home, 'config.json'), JSON.stringify(config))
}

/** Starts a server with its own key in place of the machine's hub. Returns everything sent to it. */
async function playHub(machine: TestMachine, answer: RequestListener): Promise<string[]> {
  const { privateKey, certificate } = testIdentity
  const came: string[] = []
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
  const server = createServer({ key, cert: certificate }, (request, response) => {
    came.push(JSON.stringify([request.url, request.rawHeaders]))
    answer(request, response)
  })
  await listen(server as unknown as Server, machine)
  return came
}

/** Sends one request to the hub over TLS, whatever its key. */
function byTls(to: TestHub, path: string, { method = 'POST', body }: { method?: string | undefined; body?: Buffer }) {
  return new Promise<IncomingMessage>((resolve, reject) => {
    const headers = { 'content-type': 'application/json', ...(body && { 'content-length': body.byteLength }) }
    const options = { host: '127.0.0.1', port: to.port, path, method, headers, rejectUnauthorized: false, agent: false }
    tlsRequest(options, resolve).on('error', reject).end(body)
  })
}

async function proof(tokenId: string, nonce = newNonce()): Promise<{ status: number; answer: Record<string, string> }> {
  const response = await byTls(hub, '/v1/proof', { body: Buffer.from(JSON.stringify({ tokenId, nonce })) })
  return { status: response.statusCode!, answer: JSON.parse(await text(response)) }
}

test('a machine that joined without TLS pins the key of its hub, and running sessions follow', async () => {
  const sean = await startMachine(hub, 'sean')
  const token = tokenOf(sean)
  // A relay that records what it forwards in plain text.
  let seen = ''
  const relay = createPlainServer(async (request, response) => {
    seen += JSON.stringify(request.rawHeaders)
    const { status, text } = await raw(hub, { path: request.url!, token, method: request.method })
    response.writeHead(status, { 'content-type': 'application/json' }).end(text)
  })
  await listen(relay, sean)
  const before = await sean.run(['doctor'])
  expect(before.stdout).toMatch(/^note {2}proof .*does not have to prove.*\n.*→ Run: .* pin$/m)
  expect(seen).toContain(token)

  writeFileSync(join(sean.home, 'config.json'), JSON.stringify({ ...configOf(sean), hub: hub.url.origin, other: 1 }))
  const { call } = await sean.mcp()
  expect((await call('inbox')).isError).toBe(false)
  const pinned = await sean.run(['pin', '--json'])
  expect(JSON.parse(pinned.stdout)).toEqual({ changed: true, hub: hub.tlsOrigin, hubKey: hub.hubKey })
  expect(configOf(sean)).toMatchObject({ hub: hub.url.origin, hubKey: hub.hubKey, other: 1 })
  expect((await sean.run(['doctor'])).stdout).toContain(`the hub proves itself, by the key ${hub.hubKey}`)
  expect((await call('send', { to: 'sean', message: 'over TLS' })).text).toContain('Stored for sean')
  const again = await sean.run(['pin'])
  expect([again.code, again.stdout]).toEqual([0, expect.stringContaining('the key that is pinned here')])
  expect((await sean.run(['pin', '--again', '--json'])).stdout).toContain('"changed":false')
})

test('a man in the middle that relays the proof of the hub learns nothing, and nothing is pinned', async () => {
  const machine = await startMachine(hub, 'between')
  const token = tokenOf(machine)
  const came = await playHub(machine, async (request, response) => {
    const answer = await byTls(hub, request.url!, { method: request.method, body: await buffer(request) })
    response.writeHead(answer.statusCode!, { 'content-type': 'application/json' }).end(await buffer(answer))
  })
  const before = configOf(machine)
  const { code, stdout, stderr } = await machine.run(['pin'])
  expect([code, stdout]).toEqual([1, ''])
  expect(stderr).toMatch(/has not proven that it knows this machine.*invite/s)
  expect(configOf(machine)).toEqual(before)
  expect(came.filter(request => request.includes('/v1/proof'))).toHaveLength(1)
  expect(came.join()).not.toContain(token)
  expect(came.join()).not.toMatch(/authorization/i)
})

test.for<[what: string, answer: RequestListener, code: number, words: RegExp]>([
  [
    'has no such route',
    (_, response) =>
      response
        .writeHead(404, { 'content-type': 'application/json' })
        .end(JSON.stringify({ error: { code: 'not_found', message: 'There is no POST on this path.', hint: 'x' } })),
    1,
    /cannot prove that it is the hub: it does not support this.*upgrade/s,
  ],
  [
    'makes a proof up',
    (_, response) => response.end(JSON.stringify({ nonce: newNonce(), proof: newNonce() })),
    1,
    /has not proven/,
  ],
  [
    'gives back the nonce',
    (_, response) => response.end(JSON.stringify({ nonce: newNonce(), proof: '' })),
    1,
    /has not proven/,
  ],
  ['is no hub', (_, response) => response.end('hello'), 75, /is not a Claude Net hub/],
])('a TLS server that %s is not pinned', async ([what, answer, code, words]) => {
  const machine = await startMachine(hub, `m-${what.replaceAll(' ', '-')}`)
  const came = await playHub(machine, answer)
  const ran = await machine.run(['pin'])
  expect([ran.code, ran.stderr]).toEqual([code, expect.stringMatching(words)])
  expect(configOf(machine)).not.toHaveProperty('hubKey')
  expect(came.join()).not.toContain(tokenOf(machine))
})

test('an older hub, which does not speak TLS, is reported as such, and nothing is sent to it', async () => {
  const machine = await startMachine(hub, 'plain')
  let asked = 0
  await listen(
    createPlainServer((_, response) => {
      asked++
      response.end()
    }),
    machine,
  )
  const { code, stderr } = await machine.run(['pin'])
  expect([code, stderr]).toEqual([1, expect.stringMatching(/it does not speak TLS 1\.3.*install\.sh/s)])
  expect(asked).toBe(0)
})

test('the route does not reveal which ids exist, and proves nothing without TLS', async () => {
  const { token } = await hub.join('known')
  const { id } = parseToken(token)!
  const nonce = newNonce()
  const shapeOf = ({ status, answer }: Awaited<ReturnType<typeof proof>>) => [
    status,
    Object.entries(answer).map(([name, value]) => [name, value.length]),
  ]
  const [known, again, unknown] = [await proof(id, nonce), await proof(id, nonce), await proof('zzzzzzzz', nonce)]
  expect(shapeOf(unknown)).toEqual(shapeOf(known))
  // The proof differs each time, also for an unknown id.
  expect(again.answer.proof).not.toBe(known.answer.proof)
  expect((await proof('zzzzzzzz', nonce)).answer.proof).not.toBe(unknown.answer.proof)
  const plain = await raw(hub, { path: '/v1/proof', body: { tokenId: id, nonce } })
  expect(errorOf(plain)).toMatchObject({ code: 'invalid', message: expect.stringContaining('in plain text') })
  expect((await proof('short')).status).toBe(400)
})

test('proofs are rate-limited for each address', async () => {
  const limited = await startHub({ config: { limits: { proofs: { perMinute: 1, burst: 2 } } } })
  const machine = await startMachine(limited, 'eager')
  expect((await machine.run(['pin'])).code).toBe(0)
  expect((await machine.run(['pin', '--again'])).code).toBe(0)
  const third = await machine.run(['pin', '--again'])
  expect([third.code, third.stderr]).toEqual([1, expect.stringContaining('Too many requests for a proof')])
  expect((await machine.run(['inbox'])).code).toBe(0)
})

test('a pinned machine accepts another key only with --again, and only from a hub that knows its token', async () => {
  const machine = await startMachine(hub, 'moved')
  const config = { ...configOf(machine), hubKey: testIdentity.hubKey }
  writeFileSync(join(machine.home, 'config.json'), JSON.stringify(config))
  for (const args of [['pin'], ['inbox']])
    expect((await machine.run(args)).stderr).toMatch(/is not the hub of this machine/)
  expect(configOf(machine).hubKey).toBe(testIdentity.hubKey)
  expect((await machine.run(['pin', '--again'])).code).toBe(0)
  expect(configOf(machine).hubKey).toBe(hub.hubKey)
})

test('a machine behind ssh pins through it', async context => {
  const { hub: behind, laptop } = await startLaptop(context)
  const before = await laptop.run('doctor')
  expect(before.stdout).toMatch(/^note {2}proof .*through ovh5/m)
  const pinned = await laptop.run('pin')
  expect([pinned.code, pinned.stdout]).toEqual([0, expect.stringContaining(behind.hubKey)])
  expect((await laptop.run('send', 'laptopclaude', 'hello')).code).toBe(0)
  expect((await laptop.run('doctor')).stdout).toMatch(/^ok {4}proof .*the hub proves itself/m)
  const admin = behind.client(behind.adminToken)
  expect((await admin.call(api.listMembers)).members).toMatchObject([{ unread: 1 }])
})
