import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { startHub } from './support/hub.ts'
import { startMachine } from './support/machine.ts'
import { Newcomer, readJson } from './support/newcomer.ts'
import { startTlsProxy, testAuthority } from './support/tls-proxy.ts'
import { until } from './support/until.ts'

/** Makes curl and Node trust the test authority. */
const trust = { CURL_CA_BUNDLE: testAuthority, NODE_EXTRA_CA_CERTS: testAuthority }

/** Only clients of the proxy may have other addresses. */
const config = { trustedProxies: ['127.0.0.1'] }

test('through a TLS proxy a machine joins by https, sends, reads and receives events', async () => {
  const hub = await startHub({ config })
  const [proxy, chas] = [await startTlsProxy(hub), await hub.join('chas')]
  const newcomer = new Newcomer(hub)
  const exports = Object.entries(trust).map(([name, value]) => `export ${name}=${value};`)
  const joinLine = `curl -fsSL ${proxy.origin}/join/${await newcomer.invite('sean')} | sh -s -- --bin ${newcomer.bin}`
  const joined = await newcomer.sh(`${exports.join(' ')} ${joinLine}`)
  expect(joined).toMatchObject({ code: 0, stdout: expect.stringContaining(`the hub at ${proxy.origin}`) })
  expect(readJson(join(newcomer.home, 'config.json'))).toMatchObject({ hub: proxy.origin })
  expect(await newcomer.sh(`${exports.join(' ')} ${newcomer.command} send chas "by https"`)).toMatchObject({ code: 0 })
  expect((await chas.client.call(api.readInbox)).messages).toMatchObject([{ from: 'sean', body: 'by https' }])
})

test('the server of a session uses https, and keeps its sends while the proxy is not trusted', async () => {
  const hub = await startHub({ config })
  const [proxy, sean] = [await startTlsProxy(hub), await startMachine(hub, 'sean')]
  await hub.join('chas')
  const file = join(sean.home, 'config.json')
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), hub: proxy.origin }))
  const session = await sean.mcp(trust)
  expect((await session.call('send', { to: 'chas', message: 'hello' })).text).toMatch(/^Stored for chas/)
  await until('the session to be online', async () => {
    const { members } = await hub.client(hub.adminToken).call(api.listMembers)
    return members.find(({ name }) => name === 'sean')?.online
  })

  const untrusting = await sean.run(['send', 'chas', 'kept'])
  expect(untrusting).toMatchObject({ code: 75, stdout: expect.stringContaining('its certificate is not trusted here') })
  expect((await sean.run(['doctor'])).stdout).toContain('NODE_EXTRA_CA_CERTS')
  expect(await sean.run(['inbox'], { env: trust })).toMatchObject({ code: 0 })
  expect((await sean.run(['doctor'], { env: trust })).stdout).toContain('nothing waits')
})

test('an https address with plain HTTP behind it is reported as such', async () => {
  const plain = createServer((_request, response) => response.end()).listen(0, '127.0.0.1')
  onTestFinished(() => void plain.close())
  await once(plain, 'listening')
  const sean = await startMachine(await startHub(), 'sean')
  const hubAddress = `https://127.0.0.1:${(plain.address() as AddressInfo).port}`
  writeFileSync(join(sean.home, 'config.json'), JSON.stringify({ machine: 'sean', hub: hubAddress }))
  expect(await sean.run(['machines'])).toMatchObject({
    code: 75,
    stderr: expect.stringContaining('it does not speak TLS'),
  })
})
