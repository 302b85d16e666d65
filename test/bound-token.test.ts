import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { mintToken } from '../src/protocol/token.ts'
import { TestHub } from './support/hub.ts'
import { startMachine } from './support/machine.ts'
import { run } from './support/program.ts'
import { errorOf, raw } from './support/raw.ts'
import { sharedHub } from './support/shared-hub.ts'

// Every 127.x.y.z is an address of this host; 127.9.9.9 is the proxy.
const hub = sharedHub(dataDir => new TestHub({ dataDir, config: { trustedProxies: ['127.9.9.9/32'] } }))
const admin = () => hub.client(hub.adminToken)
const bind = (name: string, ranges: string[]) => admin().call(api.bindMember, { params: { name }, body: { ranges } })
const proxy = (address: string) => ({
  localAddress: '127.9.9.9',
  headers: { 'x-forwarded-for': `1.2.3.4, ${address}` },
})

test.for<[ranges: string[], ok: string[], refused: string[]]>([
  [['10.0.3.0/24'], ['10.0.3.1', '10.0.3.255', '::ffff:10.0.3.7'], ['10.0.4.1', 'fd00::1', '127.0.0.1', '::1']],
  [['fd00::/8'], ['fd00::1', 'FDFF::2', 'fd00::1%eth0'], ['fe80::1', '10.0.3.1']],
  [
    ['10.0.3.7', 'fd00:1::7', '192.168.0.0/16'],
    ['10.0.3.7', 'fd00:1::7', '192.168.9.9'],
    ['10.0.3.8', 'fd00:1::8'],
  ],
  [['0.0.0.0/0'], ['8.8.8.8'], ['fd00::1']],
])('a token that is bound to %s is valid only there', async ([ranges, ok, refused]) => {
  const { name, token } = await hub.join(`m${ranges.join('').replace(/[^a-z0-9]/g, '')}`)
  await bind(name, ranges)
  const from = async (address: string) => (await raw(hub, { path: '/v1/inbox', token, ...proxy(address) })).status
  for (const address of ok) expect([address, await from(address)]).toEqual([address, 200])
  for (const address of refused) expect([address, await from(address)]).toEqual([address, 403])
})

test('every door refuses a bound token from elsewhere with an explanation, and audits the address', async () => {
  const { token } = await hub.join('bound')
  await bind('bound', ['10.0.3.0/24'])
  const requests = [
    { path: '/v1/messages', body: { to: 'bound', body: 'x' } },
    { path: '/v1/inbox' },
    { path: '/v1/presence', body: { session: 's', client: 'test/1' } },
    { path: '/v1/machines' },
    { path: '/v1/events' },
    { path: '/mcp', body: {} },
    { path: '/v1/token', body: { token: mintToken('machine') } },
  ]
  for (const request of requests) {
    const answer = await raw(hub, { ...request, token, localAddress: '127.0.0.2' })
    expect([request.path, answer.status]).toEqual([request.path, 403])
    expect(errorOf(answer)).toMatchObject({
      code: 'forbidden',
      message: expect.stringContaining('bound may not be used from 127.0.0.2'),
      hint: expect.stringContaining('claude-net bind bound --from'),
    })
    expect(answer.text).not.toContain('10.0.3')
  }
  const { lines } = await admin().call(api.listAudit, { query: { actor: 'bound' } })
  expect(lines[0]).toMatchObject({ result: 'forbidden', address: '127.0.0.2', actor: 'bound' })
  // A forwarding header from an untrusted address is ignored.
  const forged = { path: '/v1/inbox', token, localAddress: '127.0.0.2', headers: { 'x-forwarded-for': '10.0.3.1' } }
  expect((await raw(hub, forged)).status).toBe(403)
})

test('a binding takes effect at once: existing connections and streams are cut or refused', async () => {
  const { client } = await hub.join('streamer')
  // The signal must not abort, since that would end the stream too.
  const stream = client.events({ signal: new AbortController().signal })
  const ended = (async () => {
    for await (const _ of stream);
  })()
  await client.call(api.readInbox)
  await bind('streamer', ['10.0.3.0/24'])
  await ended
  await expect(client.call(api.readInbox)).rejects.toMatchObject({ code: 'forbidden' })
  await bind('streamer', [])
  await expect(client.call(api.readInbox)).resolves.toBeDefined()
})

test('a bound invitation is not used up by attempts from elsewhere, and works from its addresses', async () => {
  const { code } = await admin().call(api.invite, { body: { name: 'newcomer', from: ['127.0.0.3'] } })
  const token = mintToken('machine')
  const join = (localAddress: string) =>
    raw(hub, { path: '/v1/join', body: { code, machine: 'newcomer', token }, localAddress })
  expect(errorOf(await join('127.0.0.2'))).toMatchObject({ code: 'forbidden' })
  expect((await join('127.0.0.3')).status).toBe(200)
  expect((await raw(hub, { path: '/v1/inbox', token, localAddress: '127.0.0.3' })).status).toBe(200)
  // Joining again keeps the binding.
  const again = await admin().call(api.invite, { body: { name: 'newcomer' } })
  const request = { path: '/v1/join', body: { code: again.code, machine: 'newcomer', token: mintToken('machine') } }
  expect((await raw(hub, { ...request, localAddress: '127.0.0.2' })).status).toBe(403)
})

test('the command sets, shows and removes a binding; a machine outside it gets an explanation, and keeps no new messages', async () => {
  const machine = await startMachine(hub, 'desk')
  const at = ['--data', hub.dataDir]
  const bound = await run(['bind', 'desk', '--from', '10.0.3.0/24,fd00::/8', '--from', '::ffff:10.0.4.0/120', ...at])
  expect(bound.stdout).toBe('Tokens of desk may be used from 10.0.3.0/24, fd00::/8, 10.0.4.0/24 only.\n')
  const refused = await machine.run(['send', 'desk', 'hello'])
  expect([refused.code, refused.stderr]).toEqual([1, expect.stringMatching(/may not be used from 127\.0\.0\.1/)])
  expect((await machine.run(['doctor'])).stdout).toMatch(/FAIL {2}token .*127\.0\.0\.1/)
  expect((await run(['members', ...at])).stdout).toMatch(/desk .*from 10\.0\.3\.0\/24, fd00::\/8, 10\.0\.4\.0\/24 only/)
  expect((await run(['bind', 'desk', '--from', 'loopback', ...at])).stdout).toContain('127.0.0.0/8, ::1/128')
  expect((await machine.run(['inbox'])).code).toBe(0)
  expect((await run(['bind', 'desk', '--json', ...at])).stdout).toBe(
    `${JSON.stringify({ name: 'desk', ranges: ['127.0.0.0/8', '::1/128'] })}\n`,
  )
  expect((await run(['bind', 'desk', '--anywhere', ...at])).stdout).toContain('anywhere')
  for (const wrong of ['10.0.3.0/33', 'fd00::/129', 'desk', '10.0.3', ''])
    expect((await run(['bind', 'desk', '--from', wrong, ...at])).code).toBe(2)
  const typo = await run(['bind', 'desc', '--from', '10.0.3.1', ...at])
  expect([typo.code, typo.stderr]).toEqual([1, expect.stringContaining('Did you mean desk?')])
  const { lines } = await admin().call(api.listAudit, { query: { action: 'bindMember', target: 'desk' } })
  expect(lines.map(({ detail }) => detail)).toEqual([
    'ranges=anywhere',
    'ranges=127.0.0.0/8,::1/128',
    'ranges=10.0.3.0/24,fd00::/8,10.0.4.0/24',
  ])
})
