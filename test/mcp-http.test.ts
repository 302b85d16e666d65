import { readdirSync, readFileSync } from 'node:fs'
import { Agent, request } from 'node:http'
import { dirname, join } from 'node:path'
import { Client, StreamableHTTPClientTransport } from '@modelcontextprotocol/client'
import { describe, expect, onTestFinished, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import type { Receipt } from '../src/protocol/messages.ts'
import { startHub, type TestHub, type TestMember } from './support/hub.ts'
import { startMachine } from './support/machine.ts'
import { program } from './support/program.ts'
import { errorOf, raw } from './support/raw.ts'
import { emptiedHub } from './support/shared-hub.ts'
import { until } from './support/until.ts'

const hubAlone = emptiedHub()

type Era = 'legacy' | 'auto'
const eras: [name: string, era: Era][] = [
  ['of the revisions from 2025', 'legacy'],
  ['of the 2026-07-28 revision', 'auto'],
]

/** Connects the official client to `POST /mcp`. Closed with the test. */
async function connect(hub: TestHub, token: string, era: Era = 'auto', project?: string) {
  const client = new Client({ name: 'claude-code', version: '2.1.330' }, { versionNegotiation: { mode: era } })
  const transport = new StreamableHTTPClientTransport(new URL('/mcp', hub.url), {
    requestInit: { headers: { authorization: `Bearer ${token}`, ...(project && { 'claude-net-project': project }) } },
  })
  onTestFinished(() => client.close())
  await client.connect(transport)
  const call = async (tool: 'send' | 'inbox' | 'machines', args: Record<string, unknown> = {}, toolUseId?: string) => {
    const _meta = toolUseId === undefined ? undefined : { 'claudecode/toolUseId': toolUseId }
    const result = await client.callTool({ name: `claude_net_${tool}`, arguments: args, _meta })
    const text = result.content.map(part => (part.type === 'text' ? part.text : '')).join('')
    return { text, isError: result.isError === true }
  }
  return { client, call }
}

async function twoMembers(config?: Record<string, unknown>) {
  const hub = config ? await startHub({ config }) : await hubAlone()
  return { hub, chas: await hub.join('chasclaude'), sean: await hub.join('seanclaude') }
}

const send = async ({ client }: TestMember, to: string, body: string): Promise<string> =>
  (await client.call(api.sendMessage, { body: { to, body } })).id

async function receiptOf({ client }: TestMember, id: string): Promise<Receipt> {
  return (await client.call(api.getMessage, { params: { id } })).receipts[0]!
}

/** Makes one tool call as plain JSON-RPC, as curl would, over a connection of its own unless `agent` keeps one open. */
function callRaw(hub: TestHub, token: string, name: string, args: object, agent?: Agent): Promise<string> {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name, arguments: args } })
  return new Promise((resolve, reject) => {
    const outgoing = request(new URL('/mcp', hub.url), {
      method: 'POST',
      agent: agent ?? false,
      headers: {
        authorization: `Bearer ${token}`,
        'content-type': 'application/json',
        accept: 'application/json, text/event-stream',
        'mcp-protocol-version': '2025-11-25',
      },
    })
    outgoing.on('error', reject)
    outgoing.on('response', response => {
      let text = ''
      response.setEncoding('utf8').on('data', chunk => (text += chunk))
      response.on('end', () => resolve(text))
    })
    outgoing.end(body)
  })
}

describe.for(eras)('a client %s', ([, era]) => {
  test('lists the tools and instructions that a stdio session has', async () => {
    const { hub, sean } = await twoMembers()
    const overHttp = (await connect(hub, sean.token, era)).client
    const overStdio = (await (await startMachine(hub, 'jazclaude')).mcp()).client
    expect((await overHttp.listTools()).tools).toEqual((await overStdio.listTools()).tools)
    expect(overHttp.getInstructions()).toBe(overStdio.getInstructions())
    expect(overHttp.getServerVersion()).toEqual(overStdio.getServerVersion())
  })

  test('sends, reads, answers and lists as the member to which the token belongs', async () => {
    const { hub, chas, sean } = await twoMembers()
    const [from, to] = [await connect(hub, chas.token, era), await connect(hub, sean.token, era)]
    const sent = await from.call('send', { to: 'seanclaude', message: 'Is the migration done?' })
    expect(sent).toEqual({ isError: false, text: expect.stringMatching(/^Stored for seanclaude \(.*\)\. Message /) })
    const id = sent.text.match(/[0-9a-f-]{36}/)![0]
    const { text } = await to.call('inbox')
    expect(text).toMatch(
      /^1 unread message\. [\s\S]*from chasclaude \(machine\) · just now · request\n> Is the migration done\?/,
    )
    expect((await to.call('send', { to: 'chasclaude', message: 'Yes.', reply_to: id })).isError).toBe(false)
    expect((await to.call('inbox')).text).toBe('No unread messages.')
    expect((await from.call('inbox', { ack: true })).text).toContain(`answers ${id}\n> Yes.`)
    expect((await from.call('machines')).text).toMatch(
      /^You are chasclaude; 0 unread\.\nchasclaude \(you\): machine, online\nseanclaude: machine, online$/,
    )
  })

  test('writes no line to the log for each of its requests', async () => {
    const { hub, chas } = await twoMembers()
    const { length } = hub.log
    const { call } = await connect(hub, chas.token, era)
    for (let time = 0; time < 3; time++) await call('machines')
    // The SDK warns once per process about an option that is not set.
    expect(
      hub.log
        .slice(length)
        .split('\n')
        .filter(line => line !== '' && !line.startsWith('{')).length,
    ).toBeLessThan(2)
  })

  test('gets an error for invalid calls, and nothing is sent', async () => {
    const { hub, chas } = await twoMembers()
    const { call } = await connect(hub, chas.token, era)
    expect(await call('send', { to: 'seancluade', message: 'hello?' })).toEqual({
      isError: true,
      text: expect.stringMatching(/No member is called 'seancluade'[\s\S]*Did you mean seanclaude\?/),
    })
    expect(await call('send', { to: 'seanclaude', message: 'x'.repeat(32 * 1024 + 1) })).toMatchObject({
      isError: true,
      text: expect.stringContaining('32769 bytes'),
    })
    expect(await call('inbox', { limit: 0 })).toMatchObject({ isError: true, text: expect.stringContaining('limit') })
  })
})

describe('messages shown to a reader', () => {
  test('are fetched by the session http, and stay unread until they are acked by id', async () => {
    const { hub, chas, sean } = await twoMembers()
    const id = await send(chas, 'seanclaude', 'hello')
    const { call } = await connect(hub, sean.token)
    await call('inbox')
    await until('it is fetched', async () => (await receiptOf(chas, id)).status === 'fetched')
    expect(await receiptOf(chas, id)).toMatchObject({ fetchedBySession: 'http', online: true })
    expect((await call('inbox')).text).toContain('shown to session http just now')
    expect((await call('inbox', { ack: [id] })).text).toBe('Acked 1 message; 0 unread.')
    expect(await receiptOf(chas, id)).toMatchObject({ status: 'acked' })
  })

  test('are acked with the next request, on any connection', async () => {
    const { hub, chas, sean } = await twoMembers()
    await send(chas, 'seanclaude', 'hello')
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    onTestFinished(() => agent.destroy())
    expect(await callRaw(hub, sean.token, 'claude_net_inbox', { ack: true }, agent)).toContain('> hello')
    expect(await callRaw(hub, sean.token, 'claude_net_inbox', {})).toContain('No unread messages.')
  })

  test('are acked after a while if the connection stays open', async () => {
    const { hub, chas, sean } = await twoMembers()
    const id = await send(chas, 'seanclaude', 'hello')
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    onTestFinished(() => agent.destroy())
    await callRaw(hub, sean.token, 'claude_net_inbox', { ack: true }, agent)
    await until('it is acked', async () => (await receiptOf(chas, id)).status === 'acked')
  })

  test('are shown again if the connection was closed: the reader may not have seen them', async () => {
    const { hub, chas, sean } = await twoMembers()
    const id = await send(chas, 'seanclaude', 'hello')
    expect(await callRaw(hub, sean.token, 'claude_net_inbox', { ack: true })).toContain('> hello')
    await until('it is fetched', async () => (await receiptOf(chas, id)).status === 'fetched')
    // Another reader keeps its connection open. Once its message is acked, the delay before the ack has also passed for the first reader.
    const later = await send(chas, 'seanclaude', 'later')
    const agent = new Agent({ keepAlive: true, maxSockets: 1 })
    onTestFinished(() => agent.destroy())
    const jaz = await hub.join('jazclaude')
    const toJaz = await send(chas, 'jazclaude', 'hello')
    await callRaw(hub, jaz.token, 'claude_net_inbox', { ack: true }, agent)
    await until('the other is acked', async () => (await receiptOf(chas, toJaz)).status === 'acked', 90_000)
    await callRaw(hub, sean.token, 'claude_net_machines', {})
    expect((await sean.client.call(api.readInbox)).messages.map(message => message.id)).toEqual([id, later])
  })

  test('can be read completely at the hub if they were too long to show', async () => {
    const { hub, chas, sean } = await twoMembers()
    const body = `x${'\n'.repeat(32 * 1024 - 1)}`
    const id = await send(chas, 'seanclaude', body)
    const { text } = await (await connect(hub, sean.token)).call('inbox')
    expect(text).toContain(
      `the whole text (32768 bytes) is in the hub's answer to GET /v1/messages/${id} (with the same token). It begins:`,
    )
    const { json } = await raw(hub, { path: `/v1/messages/${id}`, token: sean.token })
    expect(json).toMatchObject({ message: { body } })
  })
})

describe('the same checks as for every route', () => {
  test('a send counts as a send: the limits apply', async () => {
    const { hub, chas } = await twoMembers({ limits: { sends: { perMinute: 1, burst: 2 } } })
    const { call } = await connect(hub, chas.token)
    const answers = []
    for (let n = 0; n < 3; n++) answers.push(await call('send', { to: 'seanclaude', message: `number ${n}` }))
    expect(answers.map(({ isError }) => isError)).toEqual([false, false, true])
    expect(answers[2]!.text).toMatch(/^Too many messages with this token\.\nTry again in \d+ s\./)
  })

  test('a refusal by a recipient is returned, counted and audited as on its own route', async () => {
    const { hub, chas, sean } = await twoMembers()
    await sean.client.call(api.putPolicy, { body: { inbound: 'refuse' } })
    const answer = await (await connect(hub, chas.token)).call('send', { to: 'seanclaude', message: 'hello' })
    expect(answer.isError).toBe(true)
    const { lines } = await until('the line is written', async () => {
      const audit = await hub.client(hub.adminToken).call(api.listAudit, { query: {} })
      return audit.lines.some(({ action }) => action === 'sendMessage') && audit
    })
    expect(lines.find(({ action }) => action === 'sendMessage')).toMatchObject({
      actor: 'chasclaude',
      detail: 'to=seanclaude',
      result: 'forbidden',
    })
  })

  test('web pages, other host names, untrusted addresses and admins are refused before the body is read', async () => {
    const { hub, chas } = await twoMembers()
    const body = { jsonrpc: '2.0', id: 1, method: 'tools/list' }
    const ask = (headers: Record<string, string>, token?: string) => raw(hub, { path: '/mcp', token, headers, body })
    expect(errorOf(await ask({ origin: 'http://evil.example' }, chas.token)).message).toContain('web pages')
    expect(errorOf(await ask({ host: 'evil.example' }, chas.token)).message).toContain('Host')
    expect((await ask({})).status).toBe(401)
    expect((await ask({}, hub.adminToken)).status).toBe(403)
    expect((await raw(hub, { path: '/mcp', token: chas.token })).status).toBe(405)
  })

  test.for([
    ['no JSON-RPC', { hello: 'world' }],
    ['a number', 7],
    ['a method that nobody has', { jsonrpc: '2.0', id: 1, method: 'tools/destroy' }],
    ['a tool that nobody has', { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'rm', arguments: {} } }],
    ['another sender', toolCall({ to: 'seanclaude', message: 'hi', from: 'jazclaude' })],
  ] as const)('%s gets an error, and the hub continues', async ([, body]) => {
    const { hub, chas, sean } = await twoMembers()
    const headers = { accept: 'application/json, text/event-stream', 'content-type': 'application/json' }
    const answer = await raw(hub, { path: '/mcp', token: chas.token, headers, body: JSON.stringify(body) })
    expect(answer.status).toBeLessThan(500)
    expect(answer.text).toMatch(/"error"|"isError":true/)
    expect((await sean.client.call(api.readInbox)).unread).toBe(0)
  })

  test('streams are not offered: a subscription is refused', async () => {
    const { hub, chas } = await twoMembers()
    const { client } = await connect(hub, chas.token)
    expect(client.getServerCapabilities()).toEqual({ tools: { listChanged: false } })
    await expect(client.listen({ toolsListChanged: true })).rejects.toThrow()
    expect(await hub.stop()).toBe(0)
  })
})

test('a session that names its project in a header reads and sends for it; without one it reads all messages, marked with their projects', async () => {
  const { hub, chas, sean } = await twoMembers()
  const shop = await connect(hub, sean.token, 'auto', 'shop')
  const billing = await connect(hub, sean.token, 'auto', 'billing')
  await shop.call('inbox')
  await billing.call('inbox')
  const ids = [await send(chas, 'seanclaude/billing', 'for billing'), await send(chas, 'seanclaude/shop', 'for shop')]
  const forShop = (await shop.call('inbox', { ack: true })).text
  expect(forShop).toContain('> for shop')
  expect(forShop).not.toContain('> for billing')
  const all = (await (await connect(hub, sean.token)).call('inbox')).text
  expect(all).toMatch(/billing[^\n]*\n> for billing/)
  expect(all).toMatch(/shop[^\n]*\n> for shop/)
  await shop.call('send', { to: 'chasclaude', message: 'Thanks.' })
  await until('the ack', async () => (await receiptOf(chas, ids[1]!)).status === 'acked')
  expect(await receiptOf(chas, ids[0]!)).toMatchObject({ status: 'fetched', project: 'billing' })
  expect((await chas.client.call(api.readInbox)).messages).toMatchObject([{ body: 'Thanks.', fromProject: 'shop' }])

  const headers = { 'claude-net-project': 'Shop Nr. 1', accept: 'application/json, text/event-stream' }
  const answer = await raw(hub, { path: '/mcp', token: sean.token, headers, body: {} })
  expect(errorOf(answer)).toMatchObject({ code: 'invalid', message: 'The header claude-net-project names no project.' })
})

test('one call is one message even if repeated; a short call id is not used for that', async () => {
  const { hub, chas, sean } = await twoMembers()
  const { call } = await connect(hub, chas.token)
  const hello = { to: 'seanclaude', message: 'hello' }
  const ids: string[] = []
  for (const name of ['toolu_01AbCdEfGhIjKlMnOpQrSt', 'toolu_01AbCdEfGhIjKlMnOpQrSt', 'call_1', 'call_1'])
    ids.push((await call('send', hello, name)).text.match(/[0-9a-f-]{36}/)![0])
  expect(new Set(ids).size).toBe(3)
  expect((await sean.client.call(api.readInbox)).unread).toBe(3)
})

test('a hub without such requests does not load the protocol: it is a file of its own', () => {
  const dist = dirname(program)
  expect(readFileSync(join(dist, 'hub.mjs'), 'utf8')).not.toContain('createMcpHandler')
  const [apart] = readdirSync(dist).filter(name => name.startsWith('hub-http-'))
  expect(readFileSync(join(dist, apart!), 'utf8')).toContain('createMcpHandler')
})

function toolCall(args: object): object {
  return { jsonrpc: '2.0', id: 1, method: 'tools/call', params: { name: 'claude_net_send', arguments: args } }
}
