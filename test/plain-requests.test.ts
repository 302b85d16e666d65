import { execFile } from 'node:child_process'
import { once } from 'node:events'
import { writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { promisify } from 'node:util'
import { expect, onTestFinished, test } from 'vitest'
import { HubClient } from '../src/client/hub-client.ts'
import { DirectTransport } from '../src/client/transport/direct.ts'
import { api } from '../src/protocol/api.ts'
import { startHub, type TestHub } from './support/hub.ts'
import { findTool } from './support/newcomer.ts'
import { run } from './support/program.ts'
import { errorOf, raw } from './support/raw.ts'
import { until } from './support/until.ts'

/** Returns a client that uses TLS and expects the hub's key. */
function overTls(hub: TestHub, token?: string): HubClient {
  const client = new HubClient({ transport: new DirectTransport(hub.url, hub.hubKey), token, timeoutMs: 90_000 })
  onTestFinished(() => client.close())
  return client
}

const inbox = (token: string, headers: Record<string, string> = {}) => ({ path: '/v1/inbox', token, headers })

test('if plain HTTP is refused, a request without TLS gets an error, and the same one over TLS succeeds', async () => {
  const hub = await startHub()
  const sean = await hub.join('sean')
  await hub.reload({ plain: 'refuse' })
  const message = { to: 'sean', body: 'to myself' }
  for (const request of [inbox(sean.token), { path: '/v1/messages', token: sean.token, body: message }]) {
    const refused = await raw(hub, request)
    expect([refused.status, errorOf(refused)]).toEqual([
      403,
      {
        code: 'forbidden',
        message: 'This hub accepts no request without TLS.',
        hint: expect.stringContaining('claude-net pin'),
      },
    ])
  }
  for (const path of ['/healthz', '/readyz']) expect(await raw(hub, { path })).toMatchObject({ status: 200 })
  const client = overTls(hub, sean.token)
  await client.call(api.sendMessage, { body: message })
  expect((await client.call(api.readInbox)).messages).toMatchObject([{ body: 'to myself' }])

  const byTls = await run(['invite', 'jaz', '--data', hub.dataDir, '--url', hub.url.origin])
  expect([byTls.code, byTls.stderr]).toEqual([0, ''])
  const line = await run(['invite', 'jaz', '--data', hub.dataDir, '--url', hub.url.origin, '--plain', '--json'])
  const { command } = JSON.parse(line.stdout) as { command: string }
  expect(line.stderr).toContain('would be refused. This hub accepts no request without TLS.')
  const piped = await promisify(execFile)(findTool('sh')!, ['-c', command]).catch(error => error)
  expect(piped).toMatchObject({ code: 1, stderr: expect.stringContaining('This hub accepts no request without TLS.') })
})

test('if plain HTTP is for loopback only, requests through a proxy count by their original address and scheme', async () => {
  const hub = await startHub({ config: { plain: 'loopback', trustedProxies: ['127.0.0.2'] } })
  const { token } = await hub.join('sean')
  const through = (headers: Record<string, string>) => raw(hub, { ...inbox(token, headers), localAddress: '127.0.0.2' })
  expect(await raw(hub, inbox(token))).toMatchObject({ status: 200 })
  expect(await through({ 'x-forwarded-for': '127.0.0.1' })).toMatchObject({ status: 200 })
  const far = { 'x-forwarded-for': '203.0.113.5' }
  expect(errorOf(await through(far)).message).toBe('This hub accepts requests without TLS from its own host only.')
  expect(await through({ ...far, 'x-forwarded-proto': 'https' })).toMatchObject({ status: 200 })
  // The header counts only if it comes from a trusted proxy.
  const claimed = { ...inbox(token, { 'x-forwarded-proto': 'https' }), localAddress: '127.0.0.3' }
  await hub.reload({ plain: 'refuse', trustedProxies: ['127.0.0.2'] })
  expect(await raw(hub, claimed)).toMatchObject({ status: 403 })
})

test('status and metrics list members that still connect without TLS', async () => {
  const hub = await startHub({ config: { trustedProxies: ['127.0.0.2'] } })
  const [near, far, safe] = [await hub.join('near'), await hub.join('far'), await hub.join('safe')]
  const shown = async () => (await run(['status', '--data', hub.dataDir])).stdout
  expect(await shown()).toContain(`${hub.hubKey}; `)
  await overTls(hub, safe.token).call(api.readInbox)
  await near.client.call(api.readInbox)
  await raw(hub, { ...inbox(far.token, { 'x-forwarded-for': '203.0.113.5' }), localAddress: '127.0.0.2' })
  const { plain } = JSON.parse((await run(['status', '--data', hub.dataDir, '--json'])).stdout)
  expect(plain).toEqual({
    from: 'allow',
    members: [
      { name: 'far', lastAt: expect.any(String), isRemote: true },
      { name: 'near', lastAt: expect.any(String), isRemote: false },
      // The test itself used the admin's token to join the members.
      { name: 'admin', lastAt: expect.any(String), isRemote: false },
    ],
  })
  expect(await shown()).toMatch(
    /^TLS +sha256\S+; 3 members without it within a day: far just now, near just now from the hub's host, admin /m,
  )
  const { text } = await raw(hub, { path: '/metrics' })
  expect(text).toMatch(/^claude_net_plain_members\{from="network"\} 1\nclaude_net_plain_members\{from="loopback"\} 2$/m)
})

test('an unfinished handshake is ended in time, even if bytes keep arriving', async () => {
  const hub = await startHub({ config: { timeouts: { headersMs: 500, requestMs: 500 } } })
  for (const mayGoOn of [false, true]) {
    const socket = connect(hub.port, hub.url.hostname)
    onTestFinished(() => void socket.destroy())
    socket.on('error', () => {})
    const hello = Buffer.from([0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3, ...Array(500).fill(7)])
    socket.write(hello.subarray(0, 1))
    let sent = 1
    const timer = setInterval(() => mayGoOn && !socket.destroyed && socket.write(hello.subarray(sent, ++sent)), 50)
    await once(socket.resume(), 'close').finally(() => clearInterval(timer))
  }
  expect(await raw(hub, { path: '/healthz' })).toMatchObject({ status: 200 })
})

test("the admin's own certificate is read again on SIGHUP, and new connections use the new key", async () => {
  const [hub, first, second] = [await startHub(), await startHub(), await startHub()]
  const files = { certFile: `${hub.dataDir}.crt`, keyFile: `${hub.dataDir}.key` }
  const install = (from: TestHub) => {
    writeFileSync(files.keyFile, from.identity.key)
    writeFileSync(files.certFile, from.identity.certificate)
  }
  install(first)
  await hub.reload({ tls: files })
  const proven = async (key: string) => {
    const transport = new DirectTransport(hub.url, key)
    onTestFinished(() => transport.close())
    return (await transport.request({ method: 'GET', path: '/healthz', headers: {} })).resume().statusCode
  }
  expect(await proven(first.hubKey)).toBe(200)
  install(second)
  await hub.reload({ tls: files })
  expect(await proven(second.hubKey)).toBe(200)
  await expect(proven(first.hubKey)).rejects.toMatchObject({ cause: { code: 'WRONG_HUB' } })
  writeFileSync(files.certFile, first.identity.certificate)
  process.kill(hub.pid, 'SIGHUP')
  await until('the reported cause', () => hub.log.includes('the pair does not belong together'))
  expect(await proven(second.hubKey)).toBe(200)
})
