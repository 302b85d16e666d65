import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { text } from 'node:stream/consumers'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished, test } from 'vitest'
import { Home } from '../src/client/home.ts'
import { openMachine } from '../src/client/machine.ts'
import { api } from '../src/protocol/api.ts'
import { startHub, type TestHub, type TestMember } from './support/hub.ts'
import { startMachine, type TestMachine } from './support/machine.ts'
import { mcpBelowParent, type SessionBelowParent } from './support/parent.ts'
import { cleanEnv, machineNode, program } from './support/program.ts'
import { type HubProxy, reachAt, startProxy } from './support/proxy.ts'
import { until } from './support/until.ts'

interface Setting {
  hub: TestHub
  /** A proxy that all requests of bob pass through. */
  proxy: HubProxy
  ada: TestMember
  bob: TestMachine
  /** Returns the hub's own view of bob's messages. */
  unread: () => Promise<string[]>
  receipt: (id: string) => Promise<{ status: string; fetchedBySession?: string }>
  /** Sends bob a message and returns its id. */
  send: (body: string) => Promise<string>
}

async function setting(): Promise<Setting> {
  const hub = await startHub()
  const proxy = await startProxy(hub)
  const [ada, bob] = [await hub.join('ada'), await startMachine(hub, 'bob')]
  reachAt(bob, proxy.url)
  const bobClient = hub.client(readFileSync(`${bob.home}/token`, 'utf8').trim())
  return {
    hub,
    proxy,
    ada,
    bob,
    unread: async () => (await bobClient.call(api.readInbox)).messages.map(({ body }) => body),
    receipt: async id => (await ada.client.call(api.getMessage, { params: { id } })).receipts[0]!,
    send: async body => (await ada.client.call(api.sendMessage, { body: { to: 'bob', body } })).id,
  }
}

/** Waits long enough for a premature ack to reach the hub, well below the 5 s after which an ack may be sent. */
const timeForEarlyAck = () => delay(500)

test('an inbox response that is cut off leaves the messages unread, and they are shown again', async () => {
  const { proxy, bob, unread, receipt, send } = await setting()
  const id = await send('hello')
  const session = await bob.mcp()
  const cut = proxy.spoil('cut', 'GET /v1/inbox')
  expect(await session.call('inbox', { ack: true })).toMatchObject({
    isError: true,
    text: expect.stringContaining('cannot be reached'),
  })
  await cut
  // If the client had treated the lost response as shown, it would send the ack along with this request.
  await session.call('machines')
  expect(await unread()).toEqual(['hello'])
  expect(await receipt(id)).toMatchObject({ status: 'stored' })
  expect((await session.call('inbox')).text).toContain('> hello')
})

test.each(['cut', 'reset'] as const)('an ack whose response is lost (%s) may be repeated', async fault => {
  const { proxy, bob, unread, send } = await setting()
  const id = await send('hello')
  const session = await bob.mcp()
  await session.call('inbox')
  const lost = proxy.spoil(fault, 'POST /v1/inbox/ack')
  // The client itself repeats a request once if its connection is reset.
  const first = await session.call('inbox', { ack: [id] })
  await lost
  expect(await unread()).toEqual([])
  if (fault === 'cut')
    expect(first).toMatchObject({ isError: true, text: expect.stringContaining('cannot be reached') })
  const again = await session.call('inbox', { ack: [id] })
  expect(again).toEqual({ isError: false, text: 'Acked 1 message; 0 unread.' })
})

test('acks that could not reach the hub are sent with a later request', async () => {
  const { proxy, bob, unread, send } = await setting()
  await send('hello')
  const session = await bob.mcp()
  await session.call('inbox', { ack: true })
  await proxy.refuse()
  expect(await session.call('machines')).toMatchObject({ isError: true })
  expect(await unread()).toEqual(['hello'])
  await proxy.accept()
  expect((await session.call('inbox')).text).toBe('No unread messages.')
  expect(await unread()).toEqual([])
})

test('an inbox command whose output cannot be written fails, and leaves everything unread', async () => {
  const { bob, unread, send } = await setting()
  await send('hello')
  const full = openSync('/dev/full', 'w')
  onTestFinished(() => closeSync(full))
  for (const json of [[], ['--json']]) {
    const args = [program, 'inbox', '--ack', ...json]
    const child = spawn(machineNode, args, { env: cleanEnv(bob.env), stdio: ['ignore', full, 'pipe'] })
    const [stderr, [code]] = await Promise.all([text(child.stderr!), once(child, 'close')])
    expect([code, stderr]).toEqual([1, 'claude-net: The output cannot be written: the disk is full.\n'])
  }
  expect(await unread()).toEqual(['hello'])
})

test('a send whose response never comes is kept as unknown, and a retry under the same id stores one message', async () => {
  const { hub, proxy, bob } = await setting()
  const carl = await hub.join('carl')
  const { outbox, client } = openMachine(new Home(bob.home), 500)
  const swallowed = proxy.spoil('swallow', 'POST /v1/messages')
  const sent = await outbox.send({ to: 'carl', body: 'once' })
  await swallowed
  expect(sent).toMatchObject({ kept: true, waiting: 1, why: expect.stringContaining('did not answer in time') })
  expect((await carl.client.call(api.readInbox)).unread).toBe(1)

  const { waiting } = await outbox.drain()
  expect(waiting).toBe(0)
  const { messages } = await carl.client.call(api.readInbox)
  expect(messages.map(({ id, body }) => ({ id, body }))).toEqual([{ id: sent.kept && sent.id, body: 'once' }])
  client.close()
})

test('a send whose response is cut off is reported as kept, and the next command sends the same message again', async () => {
  const { hub, proxy, bob } = await setting()
  const carl = await hub.join('carl')
  const cut = proxy.spoil('cut', 'POST /v1/messages')
  const told = await bob.run(['send', 'carl', 'once'])
  await cut
  expect(told).toMatchObject({ code: 75, stdout: expect.stringMatching(/^Kept on this machine/) })
  expect((await bob.run(['send', 'carl', 'and', 'then'])).code).toBe(0)
  const { messages } = await carl.client.call(api.readInbox)
  expect(messages.map(({ body }) => body)).toEqual(['once', 'and then'])
  expect(proxy.requests.filter(request => request === 'POST /v1/messages')).toHaveLength(3)
})

const ends: Record<string, (session: SessionBelowParent) => unknown> = {
  'closes its stdin': ({ client }) => client.close(),
  'is killed': ({ parentPid }) => process.kill(parentPid, 'SIGKILL'),
  'takes its server with it': ({ pid }) => process.kill(pid, 'SIGKILL'),
}

test.each(Object.keys(ends))('messages shown right before the client %s are shown to the next session', async how => {
  const { hub, bob, unread, receipt, send } = await setting()
  const id = await send('hello')
  const session = await mcpBelowParent(hub, bob)
  const ended = new Promise<void>(resolve => (session.client.onclose = resolve))
  expect((await session.call('inbox', { ack: true })).text).toContain('> hello')
  await timeForEarlyAck()
  await ends[how]!(session)
  await ended
  expect(await unread()).toEqual(['hello'])
  expect((await receipt(id)).status).not.toBe('acked')
  expect((await (await bob.mcp()).call('inbox')).text).toContain('> hello')
})

test('messages shown with ack: true are acked with the next request', async () => {
  const { bob, unread, receipt, send } = await setting()
  const id = await send('hello')
  const session = await bob.mcp()
  await session.call('inbox', { ack: true })
  expect(await unread()).toEqual(['hello'])
  await session.call('machines')
  expect(await unread()).toEqual([])
  expect(await receipt(id)).toMatchObject({ status: 'acked' })
})

test('messages shown with ack: true are acked after a while with stdin open, even without another request', async () => {
  const { bob, unread, send } = await setting()
  await send('hello')
  const session = await bob.mcp()
  await session.call('inbox', { ack: true })
  await timeForEarlyAck()
  expect(await unread()).toEqual(['hello'])
  await until('the ack', async () => (await unread()).length === 0)
})

test('a call that was cancelled while it waited acks nothing', async () => {
  const { proxy, bob, unread, receipt, send } = await setting()
  const id = await send('hello')
  const session = await bob.mcp()
  const held = proxy.spoil('hold', 'GET /v1/inbox')
  const cancel = new AbortController()
  const call = session.client.callTool(
    { name: 'claude_net_inbox', arguments: { ack: true } },
    { signal: cancel.signal },
  )
  call.catch(() => {})
  await held
  cancel.abort()
  // The response to this call shows that the server has read the cancellation, which was sent before.
  await session.call('machines')
  proxy.release()
  await expect(call).rejects.toThrow()
  // Two calls: the first would confirm that the messages were shown, the second would wait for the resulting acks.
  await session.call('machines')
  await session.call('machines')
  expect(await unread()).toEqual(['hello'])
  expect(await receipt(id)).toMatchObject({ status: 'stored' })
})

test('a call that was cancelled after its result was written acks nothing', async () => {
  const { bob, unread, send } = await setting()
  await send('hello')
  const session = await bob.mcp()
  const transport = session.client.transport!
  const write = transport.send.bind(transport)
  let requestId: string | number = ''
  transport.send = (message, options) => {
    if ('id' in message && 'method' in message) requestId = message.id
    return write(message, options)
  }
  await session.call('inbox', { ack: true })
  await session.client.notification({ method: 'notifications/cancelled', params: { requestId } })
  await session.call('machines')
  await session.call('machines')
  expect(await unread()).toEqual(['hello'])
})

test('the receipt says fetched, and by which session, only after a result was written to a session', async () => {
  const { proxy, bob, receipt, send } = await setting()
  const id = await send('hello')
  const session = await bob.mcp({ CLAUDE_CODE_SESSION_ID: 'c0ffee00-1111' })
  const held = proxy.spoil('hold', 'GET /v1/inbox')
  const call = session.call('inbox')
  await held
  expect(await receipt(id)).toMatchObject({ status: 'stored' })
  proxy.release()
  await call
  await until('the receipt', async () => (await receipt(id)).status === 'fetched')
  expect(await receipt(id)).toMatchObject({ fetchedBySession: `c0ffee00-${session.pid}` })
})

test('two sessions of one machine that read at once both see everything, may both ack it, and each is shown the other', async () => {
  const { bob, unread, receipt, send } = await setting()
  const ids = [await send('one'), await send('two')]
  const first = await bob.mcp({ CLAUDE_CODE_SESSION_ID: 'aaaaaaaa' })
  const second = await bob.mcp({ CLAUDE_CODE_SESSION_ID: 'bbbbbbbb' })
  for (const { text, isError } of await Promise.all([first.call('inbox'), second.call('inbox')])) {
    expect(isError).toBe(false)
    expect(text).toContain('> one')
    expect(text).toContain('> two')
  }

  const third = await send('three')
  await first.call('inbox')
  await until('the receipt', async () => (await receipt(third)).status === 'fetched')
  expect((await second.call('inbox')).text).toContain(`shown to session aaaaaaaa-${first.pid}`)

  const acks = await Promise.all([first.call('inbox', { ack: ids }), second.call('inbox', { ack: [...ids, third] })])
  expect(acks.map(({ isError }) => isError)).toEqual([false, false])
  expect(acks[0].text).toMatch(/^Acked 2 messages; /)
  expect(acks[1].text).toMatch(/^Acked 3 messages; 0 unread/)
  expect(await unread()).toEqual([])
})
