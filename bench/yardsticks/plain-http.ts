// The upper bound for a hub on Node: Node's HTTP server, which parses the JSON, keeps the text in memory, and responds. It gets the same
// requests as the hub, and checks nothing. Prints its port.
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'

/** Maximum number of texts kept. Each further one replaces the oldest, so that a long run does not fill the memory. */
const maxKept = 100_000

/** Fields of all requests. */
interface Posted {
  id: string
  to: string
  body: string
  ids: string[]
}

const texts: { id: string; from: string; body: string }[] = []
/** Open event streams by the name they were opened with. */
const streams = new Map<string, ServerResponse>()
let count = 0

const server = createServer((request, response) => {
  const url = request.url!
  if (request.method === 'POST') readJson(request, body => answerPost(url, body, response))
  else if (url.startsWith('/v1/events')) openStream(url, response)
  else answer(response, 200, { messages: texts.slice(-100), unread: texts.length, more: 0 })
})
server.keepAliveTimeout = 75_000
server.listen(0, '127.0.0.1', () => console.log((server.address() as AddressInfo).port))

function answerPost(url: string, body: Posted, response: ServerResponse): void {
  if (url === '/v1/messages') {
    const seq = ++count
    const { id, to } = body
    texts[(seq - 1) % maxKept] = { id, from: 'm0', body: body.body }
    answer(response, 201, { id, seq, recipients: [{ name: to, status: 'stored' }] })
    streams.get(to)?.write(`id: ${seq}\nevent: inbox\ndata: ${JSON.stringify({ seq, id, from: 'm0' })}\n\n`)
  } else if (url === '/v1/inbox/ack') answer(response, 200, { acked: body.ids, unread: 0 })
  else answer(response, 200, { unread: 0 })
}

function openStream(url: string, response: ServerResponse): void {
  const name = new URL(url, 'http://localhost').searchParams.get('session')!
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  response.flushHeaders()
  streams.set(name, response)
  response.on('close', () => streams.delete(name))
}

function readJson(request: IncomingMessage, onBody: (body: Posted) => void): void {
  const chunks: Buffer[] = []
  request.on('data', (chunk: Buffer) => chunks.push(chunk))
  request.on('end', () => onBody(JSON.parse(Buffer.concat(chunks).toString())))
}

function answer(response: ServerResponse, status: number, body: object): void {
  const json = JSON.stringify(body)
  response.writeHead(status, { 'content-type': 'application/json', 'content-length': Buffer.byteLength(json) })
  response.end(json)
}
