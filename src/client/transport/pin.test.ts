import { once } from 'node:events'
import { createServer as createHttpServer } from 'node:http'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import * as tls from 'node:tls'
import { expect, onTestFinished, test } from 'vitest'
import { testIdentity } from '../../../test/support/test-identity.ts'
import { openTlsDoor } from '../../hub/http/tls-door.ts'
import { DirectTransport } from './direct.ts'
import { hubKeyOfPeer, secure } from './pin.ts'

const otherKey = `sha256//${Buffer.alloc(32).toString('base64')}`
const request = { method: 'GET', path: '/secret', headers: { authorization: 'Bearer secret' } }

async function listening(server: Server): Promise<URL> {
  const sockets = new Set<Socket>()
  server.on('connection', socket => sockets.add(socket))
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy()
    server.close()
  })
  return new URL(`https://127.0.0.1:${(server.address() as AddressInfo).port}`)
}

/** Starts a TLS server like a hub's; `asked` has the paths of its requests, `reused` whether each connection resumed a session. */
async function startTls() {
  const asked: string[] = []
  const reused: boolean[] = []
  const server = createHttpServer(({ url }, response) => {
    asked.push(url!)
    response.end('answer')
  })
  openTlsDoor(server, {
    identity: testIdentity,
    timeoutMs: 5000,
    onSecured: (_carrier, socket) => void reused.push(socket.isSessionReused()),
  })
  return { url: await listening(server), asked, reused }
}

function open(url: URL, pin: string): DirectTransport {
  const transport = new DirectTransport(url, pin)
  onTestFinished(() => transport.close())
  return transport
}

test('a hub that proves another key gets nothing, and the error names both', async () => {
  const { url, asked } = await startTls()
  const refused = open(url, otherKey).request(request)
  await expect(refused).rejects.toMatchObject({ code: 'unavailable', cause: { found: testIdentity.hubKey } })
  await expect(refused).rejects.toThrow(
    `it has the key ${testIdentity.hubKey}, and this machine has pinned ${otherKey}`,
  )
  const answer = await open(url, testIdentity.hubKey).request(request)
  answer.resume()
  expect([answer.statusCode, hubKeyOfPeer(answer.socket), asked]).toEqual([200, testIdentity.hubKey, ['/secret']])
})

test('a server without TLS, or with an older version, is not accepted by a pinned machine, and receives no more than a handshake', async () => {
  let heard = Buffer.alloc(0)
  const plain = createServer(socket =>
    socket.on('data', data => {
      heard = Buffer.concat([heard, data])
      socket.end('HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}')
    }),
  )
  const { privateKey, certificate } = testIdentity
  const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
  const older = tls.createServer({ key, cert: certificate, maxVersion: 'TLSv1.2' })
  for (const server of [plain, older]) {
    const refused = open(await listening(server), testIdentity.hubKey).request(request)
    await expect(refused).rejects.toMatchObject({ code: 'unavailable', cause: { code: 'WRONG_HUB', found: undefined } })
    await expect(refused).rejects.toThrow('it does not speak TLS 1.3')
  }
  expect(heard[0]).toBe(0x16)
  expect(heard.includes('secret')).toBe(false)
})

test('with the pin `any`, a request may find out the key of the hub', async () => {
  const { url } = await startTls()
  const answer = await open(url, 'any').request({ ...request, headers: {} })
  answer.resume()
  expect(hubKeyOfPeer(answer.socket)).toBe(testIdentity.hubKey)
})

test('no session is resumed: the key is proven on every connection, and a resumed session would count as unproven', async () => {
  const { url, reused } = await startTls()
  for (let times = 0; times < 2; times++) {
    const answer = await open(url, testIdentity.hubKey).request(request)
    await once(answer.resume(), 'end')
  }
  expect(reused).toEqual([false, false])
  const options = { host: '127.0.0.1', port: Number(url.port), rejectUnauthorized: false }
  const first = tls.connect(options)
  const [session] = (await once(first, 'session')) as [Buffer]
  first.destroy()
  const resumed = tls.connect({ ...options, session })
  await once(resumed, 'secureConnect')
  onTestFinished(() => void resumed.destroy())
  expect([resumed.isSessionReused(), hubKeyOfPeer(resumed)]).toEqual([true, undefined])
})

test('a request that is aborted during the handshake ends at once', async () => {
  const url = await listening(createServer(socket => socket.on('error', () => {})))
  const giveUp = new AbortController()
  const carrier = connect(Number(url.port), '127.0.0.1', () => giveUp.abort(new Error('given up')))
  await expect(secure(carrier, testIdentity.hubKey, giveUp.signal)).rejects.toThrow('given up')
  expect(carrier.destroyed).toBe(true)
})

test('a running process uses a key that is pinned meanwhile', async () => {
  const { url } = await startTls()
  let pin: string | undefined
  const transport = new DirectTransport(new URL(`http://127.0.0.1:${url.port}`), () => pin)
  onTestFinished(() => transport.close())
  const isEncrypted = async () => {
    const answer = await transport.request(request)
    const key = hubKeyOfPeer(answer.socket)
    await once(answer.resume(), 'end')
    return key !== undefined
  }
  expect(await isEncrypted()).toBe(false)
  pin = testIdentity.hubKey
  expect(await isEncrypted()).toBe(true)
  pin = otherKey
  await expect(transport.request(request)).rejects.toMatchObject({ cause: { code: 'WRONG_HUB' } })
})
