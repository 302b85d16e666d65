import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { text } from 'node:stream/consumers'
import { pipeline } from 'node:stream/promises'
import type { Home } from '../client/home.ts'
import { machineTransport } from '../client/machine.ts'
import type { Transport } from '../client/transport/transport.ts'
import { ClaudeNetError } from '../protocol/errors.ts'

/** Most bytes of a request that are passed on: more than the hub takes. */
const maxBytes = 256 * 1024

/** Headers that are about one connection, and not about the request (RFC 9110, section 7.6.1). */
const ofConnection = new Set([
  'connection',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
  'te',
  'trailer',
  'content-length',
])

/** A port of this machine that leads to the hub. */
export interface Forward extends AsyncDisposable {
  /** `http://localhost:PORT`: browsers take that for secure, and ask for no certificate. */
  origin: string
  /** Resolves when Ctrl-C ends it. */
  ended: Promise<void>
}

/**
 * Has a port of 127.0.0.1 lead to the hub by the way of this machine, through ssh and over TLS of the pinned key where it has these. What
 * comes there is passed on as it is, with the name that the browser asked for and nothing of this machine's own: who is let in is the
 * hub's to say.
 */
export async function forwardPort(home: Home, port: number): Promise<Forward> {
  const transport = machineTransport(home)
  const stop = new AbortController()
  const server = createServer((request, response) => void pass(transport, request, response, stop.signal))
  const ended = new Promise<void>(resolve => {
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => resolve())
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => reject(cannotListen(error, port)))
    server.listen(port, '127.0.0.1', resolve)
  })
  return {
    origin: `http://localhost:${(server.address() as AddressInfo).port}`,
    ended,
    [Symbol.asyncDispose]: async () => {
      stop.abort()
      const closed = new Promise(resolve => server.close(resolve))
      server.closeAllConnections()
      await closed
      transport.close()
    },
  }
}

async function pass(
  transport: Transport,
  request: IncomingMessage,
  response: ServerResponse,
  stop: AbortSignal,
): Promise<void> {
  const gone = new AbortController()
  response.on('close', () => gone.abort())
  try {
    if (Number(request.headers['content-length'] ?? 0) > maxBytes || request.headers['transfer-encoding'] !== undefined)
      throw new ClaudeNetError(
        'too_large',
        'This request is larger than any that the hub takes.',
        'Send less at a time.',
      )
    const body = await text(request)
    const answer = await transport.request({
      method: request.method!,
      path: request.url!,
      headers: passedOn(request.headers),
      ...(body !== '' && { body }),
      signal: AbortSignal.any([gone.signal, stop]),
    })
    response.writeHead(answer.statusCode!, passedOn(answer.headers, true))
    response.flushHeaders()
    await pipeline(answer, response)
  } catch (error) {
    if (response.headersSent || gone.signal.aborted) {
      response.destroy()
      return
    }
    const known =
      error instanceof ClaudeNetError
        ? error
        : new ClaudeNetError('unavailable', 'The hub gave no answer.', 'claude-net doctor says which link fails.')
    response.writeHead(known.status, { 'content-type': 'application/json; charset=utf-8' })
    response.end(JSON.stringify(known.toBody()))
  }
}

/** Headers without those of the connection. An answer's length stays what it is. */
function passedOn(headers: IncomingMessage['headers'], isAnswer: true): Record<string, string | string[]>
function passedOn(headers: IncomingMessage['headers']): Record<string, string>
function passedOn(headers: IncomingMessage['headers'], isAnswer = false): Record<string, string | string[]> {
  const kept = Object.entries(headers).filter(
    ([name, value]) => value !== undefined && (!ofConnection.has(name) || (isAnswer && name === 'content-length')),
  )
  return Object.fromEntries(kept.map(([name, value]) => [name, isAnswer ? value! : [value!].flat().join(', ')]))
}

function cannotListen({ code, message }: NodeJS.ErrnoException, port: number): ClaudeNetError {
  return new ClaudeNetError(
    'conflict',
    `Port ${port} of 127.0.0.1 cannot be had: ${code === 'EADDRINUSE' ? 'another program has it' : message}.`,
    'Choose another with --port, or leave it out for one that is free.',
  )
}
