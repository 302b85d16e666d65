import { EventEmitter, once } from 'node:events'
import { createServer } from 'node:http'
import { type AddressInfo, createServer as createPlain, type LookupFunction, type Socket } from 'node:net'
import { expect, onTestFinished, test, vi } from 'vitest'
import { dial, dialingAgent } from './dial.ts'

/** Addresses that never respond: those of RFC 5737 and RFC 3849 are not assigned. */
const dead = { four: '192.0.2.1', six: '2001:db8::7' }

/** Returns a lookup that resolves any name to these addresses, in this order. */
const named = (...addresses: string[]): LookupFunction =>
  ((_host: string, _options: object, done: (error: null, found: object[]) => void) =>
    done(
      null,
      addresses.map(address => ({ address, family: address.includes(':') ? 6 : 4 })),
    )) as never

async function listening(host: string): Promise<number> {
  const server = createPlain(socket => socket.on('error', () => {})).listen(0, host)
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

test.each([
  ['alone', ['127.0.0.1']],
  ['behind a dead IPv6', [dead.six, '127.0.0.1']],
  ['before a dead IPv6', ['127.0.0.1', dead.six]],
  ['behind several dead ones', [dead.six, dead.four, '2001:db8::8', '127.0.0.1']],
  ['behind one where nothing listens', ['127.0.0.2', '127.0.0.1']],
])('an address that responds is found %s', async (_, addresses) => {
  const port = await listening('127.0.0.1')
  const socket = await dial('hub.lan', port, { find: named(...addresses) })
  expect(socket.remoteAddress).toBe('127.0.0.1')
  socket.destroy()
})

test.each([
  ['an unreachable one', 0],
  ['one that never answers', undefined],
])('a handshake that takes a second is waited for, even beside %s', async (_, failsAfterMs) => {
  vi.useFakeTimers()
  onTestFinished(() => void vi.useRealTimers())
  const opened: string[] = []
  const open = ({ host }: { host?: string }) => {
    opened.push(host!)
    const socket = Object.assign(new EventEmitter(), { host, destroy: vi.fn() })
    if (host === '127.0.0.1') setTimeout(() => socket.emit('connect'), 1000)
    else if (failsAfterMs !== undefined) setTimeout(() => socket.emit('error', new Error('ENETUNREACH')), failsAfterMs)
    return socket as unknown as Socket
  }
  for (const addresses of [
    ['127.0.0.1', dead.six],
    [dead.six, '127.0.0.1'],
  ]) {
    const dialing = dial('hub.lan', 1, { find: named(...addresses), open })
    await vi.advanceTimersByTimeAsync(1500)
    expect(await dialing).toMatchObject({ host: '127.0.0.1' })
    expect(opened.splice(0)).toEqual(addresses)
  }
})

test('if no address responds, the error is that of the first, and shows that no connection was made', async () => {
  const port = await listening('127.0.0.1')
  const dialing = dial('hub.lan', port, { find: named('127.0.0.2', '127.0.0.3') })
  await expect(dialing).rejects.toMatchObject({ code: 'ECONNREFUSED', syscall: 'connect', address: '127.0.0.2' })
})

test('a dial is aborted together with its request', async () => {
  const end = new AbortController()
  const dialing = dial('hub.lan', 9, { find: named(dead.six, dead.four), signal: end.signal })
  end.abort()
  await expect(dialing).rejects.toMatchObject({ name: 'AbortError' })
})

test('an agent dials for its requests, and reuses a connection', async () => {
  const server = createServer((request, response) => response.end(request.url)).listen(0, '127.0.0.1')
  onTestFinished(() => void server.close())
  await once(server, 'listening')
  const { port } = server.address() as AddressInfo
  let looked = 0
  const find: LookupFunction = (...args) => {
    looked++
    named(dead.six, '127.0.0.1')(...args)
  }
  const agent = dialingAgent('none', find)
  onTestFinished(() => agent.destroy())
  const { request } = await import('node:http')
  for (const path of ['/one', '/two']) {
    const [response] = await once(request({ agent, host: 'hub.lan', port, path }).end(), 'response')
    let text = ''
    for await (const chunk of response) text += chunk
    expect(text).toBe(path)
  }
  expect(looked).toBe(1)
})
