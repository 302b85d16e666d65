import { spawn } from 'node:child_process'
import { once } from 'node:events'
import type { IncomingMessage } from 'node:http'
import { createServer } from 'node:net'
import { json, text } from 'node:stream/consumers'
import { describe, expect, onTestFinished, test } from 'vitest'
import { HubClient } from '../../src/client/hub-client.ts'
import type { Transport, TransportRequest } from '../../src/client/transport/transport.ts'
import { api } from '../../src/protocol/api.ts'
import { type AnsweringServer, startAnsweringServer } from '../support/answering-server.ts'
import { cleanEnv, hubNode } from '../support/program.ts'
import { until } from '../support/until.ts'

export interface TransportKind {
  /** A transport to the server at `url`, an address of this host. */
  open: (url: URL) => Transport
  /** Returns the source of a module that creates the same transport as `transport`. */
  source: (url: URL) => string
}

/** Tests the promises of every transport. */
export function transportSuite(name: string, kind: TransportKind): void {
  describe(`a transport over ${name}`, () => {
    const open = (url: URL) => {
      const transport = kind.open(url)
      onTestFinished(() => transport.close())
      return transport
    }
    const start = async (): Promise<{ server: AnsweringServer; transport: Transport }> => {
      const server = await startAnsweringServer()
      return { server, transport: open(server.url) }
    }

    test('carries method, path, headers and body to the server, and status, headers and body back', async () => {
      const { transport } = await start()
      const response = await transport.request({
        method: 'DELETE',
        path: '/echo?with=a%20b&and=%C3%BC',
        headers: { authorization: 'Bearer secret', 'content-type': 'application/json' },
        body: '{"text":"ümläut €"}',
      })
      expect(response.statusCode).toBe(200)
      expect(response.headers['x-answer']).toBe('echo')
      expect(await json(response)).toMatchObject({
        method: 'DELETE',
        url: '/echo?with=a%20b&and=%C3%BC',
        headers: { authorization: 'Bearer secret', 'content-type': 'application/json', 'content-length': '23' },
        body: '{"text":"ümläut €"}',
      })
    })

    test('returns a response with an error status like any other', async () => {
      const { transport } = await start()
      const response = await transport.request(get('/nowhere'))
      expect([response.statusCode, await text(response)]).toEqual([404, 'nothing here'])
    })

    test('carries large bodies completely in both directions', async () => {
      const { transport } = await start()
      const body = 'a€'.repeat(1_000_000)
      const echoed = (await json(await transport.request({ ...get('/echo'), method: 'POST', body }))) as {
        body: string
      }
      expect(echoed.body === body).toBe(true)
      expect(await text(await transport.request(get('/bytes?count=8000000')))).toHaveLength(8_000_000)
    })

    test('carries 50 requests at once, each with its own response', async () => {
      const { transport } = await start()
      const bodies = Array.from({ length: 50 }, (_, n) => `number ${n}`)
      const answers = await Promise.all(
        bodies.map(async (body, n) => {
          const path = `/echo?afterMs=${(n * 7) % 20}`
          return (await json(await transport.request({ ...get(path), method: 'POST', body }))) as { body: string }
        }),
      )
      expect(answers.map(({ body }) => body)).toEqual(bodies)
    })

    test('keeps streams open while other requests pass, and ends each by its own signal', async () => {
      const { transport } = await start()
      const stops = [new AbortController(), new AbortController(), new AbortController()]
      const streams = await Promise.all(stops.map(({ signal }) => transport.request({ ...get('/lines'), signal })))
      const heard = streams.map(lines)
      await until('lines on every stream', () => heard.every(({ count }) => count >= 3))
      expect((await transport.request(get('/nowhere'))).statusCode).toBe(404)

      stops[0]!.abort()
      await heard[0]!.ended
      const before = heard.map(({ count }) => count)
      await until('more lines', () => heard.slice(1).every(({ count }, n) => count > before[n + 1]! + 3))
      expect(heard[0]!.count).toBe(before[0])
      for (const stop of stops) stop.abort()
      await Promise.all(heard.map(({ ended }) => ended))
    })

    test('abandons a request whose signal aborts, with its reason, and frees its connection', async () => {
      const { transport } = await start()
      const request = transport.request({ ...get('/never'), signal: AbortSignal.timeout(50) })
      await expect(request).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining('did not answer in time'),
      })
      await until('the connection to be closed', async () => (await counts(transport)).open === 1)
    })

    test('sends nothing if the signal has already aborted', async () => {
      const { transport } = await start()
      const request = transport.request({ ...get('/never'), signal: AbortSignal.abort() })
      await expect(request).rejects.toMatchObject({ code: 'unavailable' })
      expect((await counts(transport)).requests['/never']).toBeUndefined()
    })

    test('reports that no server listens', async () => {
      const listener = createServer().listen(0, '127.0.0.1')
      await once(listener, 'listening')
      const url = new URL(`http://127.0.0.1:${(listener.address() as { port: number }).port}`)
      await new Promise(resolve => listener.close(resolve))
      const transport = open(url)
      expect(transport.label).toContain(url.port)
      await expect(transport.request(get('/echo'))).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining(transport.label),
      })
    })

    test('a connection that is reset instead of a response is unavailable, and not retried repeatedly', async () => {
      const { transport } = await start()
      await keepSeveral(transport)
      await expect(transport.request(get('/reset'))).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining(transport.label),
      })
      expect((await counts(transport)).requests['/reset']).toBeLessThanOrEqual(2)
    })

    test('a connection that is reset within a response is unavailable', async () => {
      const { transport } = await start()
      const client = new HubClient({ transport, timeoutMs: 90_000 })
      await expect(client.call(api.health)).rejects.toMatchObject({
        code: 'unavailable',
        message: expect.stringContaining(transport.label),
      })
    })

    test.each([
      ['small', 10],
      ['large', 2_000_000],
    ])('a %s request survives an idle connection that the server has closed meanwhile', async (_size, length) => {
      const { server, transport } = await start()
      const body = 'x'.repeat(length)
      const echo = { ...get('/echo'), method: 'POST', body }
      for (let time = 0; time < 3; time++) {
        await keepSeveral(transport)
        server.closeConnections()
        const response = await transport.request(echo)
        expect((await json(response)) as { body: string }).toHaveProperty('body', body)
      }
    })

    test('close lets the process exit, even with a stream and a request in progress', async () => {
      const { server } = await start()
      const child = spawn(hubNode, ['--input-type=module', '-e', closing(kind.source(server.url))], {
        env: cleanEnv(),
        stdio: ['ignore', 'pipe', 'inherit'],
      })
      onTestFinished(() => void child.kill('SIGKILL'))
      const said = text(child.stdout)
      const [code] = await once(child, 'exit', { signal: AbortSignal.timeout(90_000) })
      expect([code, await said]).toEqual([0, 'closed\nunavailable\n'])
    })
  })
}

function get(path: string): TransportRequest {
  return { method: 'GET', path, headers: {} }
}

/** Leaves several idle connections, opened by concurrent requests. */
async function keepSeveral(transport: Transport): Promise<void> {
  await Promise.all([1, 2, 3].map(async () => text(await transport.request(get('/echo?afterMs=5')))))
}

async function counts(transport: Transport): Promise<{ open: number; requests: Record<string, number> }> {
  return (await json(await transport.request(get('/counts')))) as { open: number; requests: Record<string, number> }
}

/** Counts the lines of a stream until it ends in any way. */
function lines(stream: IncomingMessage): { count: number; ended: Promise<unknown> } {
  const heard = { count: 0, ended: new Promise(resolve => stream.on('close', resolve)) }
  stream.on('error', () => {})
  stream.on('data', (chunk: Buffer) => (heard.count += chunk.toString().split('\n').length - 1))
  return heard
}

/** Returns a program that closes its transport with an idle connection, a stream and a request in progress. */
function closing(source: string): string {
  return `${source}
    const get = path => transport.request({ method: 'GET', path, headers: {} })
    for (let time = 0; time < 3; time++) (await get('/nowhere')).resume()
    const stream = await get('/lines')
    stream.on('error', () => {})
    await new Promise(resolve => stream.once('data', resolve))
    const answer = await get('/nowhere')
    await new Promise(resolve => answer.resume().on('close', resolve))
    get('/never').catch(({ code }) => console.log(code))
    await new Promise(resolve => setTimeout(resolve, 50))
    transport.close()
    console.log('closed')`
}
