import { once } from 'node:events'
import { createServer, type ServerResponse } from 'node:http'
import { type AddressInfo, connect } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { SseStream } from './sse.ts'

/** An event larger than the kernel's buffers of one connection. */
const event = 'x'.repeat(32 * 1024 * 1024)

/** Starts a stream whose reader reads nothing; `sent` is the `send` that waits for it. */
async function stalledStream(options: { signal: AbortSignal; drainTimeoutMs: number }) {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const reader = connect((server.address() as AddressInfo).port, '127.0.0.1').on('error', () => {})
  onTestFinished(() => {
    reader.destroy()
    server.close()
  })
  reader.write('GET / HTTP/1.1\r\nhost: localhost\r\n\r\n')
  const [, response] = (await once(server, 'request')) as [unknown, ServerResponse]
  const sent = new SseStream(response, { ...options, wrote: () => {}, read: () => {} }).send('inbox', event)
  return { server, response, sent }
}

test('a stream that ends does not wait for a reader that never reads, and its server can close', async () => {
  const end = new AbortController()
  const { server, response, sent } = await stalledStream({ signal: end.signal, drainTimeoutMs: 3_600_000 })
  expect(response.writableNeedDrain).toBe(true)
  end.abort()
  await sent
  expect(response.destroyed).toBe(true)
  server.close()
  await once(server, 'close')
})

test('a reader that reads nothing for the drain time is disconnected', async () => {
  const { response, sent } = await stalledStream({ signal: new AbortController().signal, drainTimeoutMs: 10 })
  await sent
  expect(response.destroyed).toBe(true)
})
