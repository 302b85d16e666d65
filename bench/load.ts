// A closed-loop HTTP/1.1 load generator on plain sockets: each connection sends its next request when the answer to the last
// one is complete. Small on purpose, so that it takes as little as possible of the cores that the server needs.
import { connect, type Socket } from 'node:net'

export interface LoadResult {
  requests: number
  seconds: number
  perSecond: number
  p50Ms: number
  p99Ms: number
  /** Answers by status. */
  statuses: Record<number, number>
}

export interface Load {
  port: number
  connections: number
  seconds: number
  /** Seconds of the same load before measuring starts. */
  warmUpSeconds?: number
  /** The next request, whole, as bytes on the wire. */
  next: () => string
}

export async function runLoad({ port, connections, seconds, warmUpSeconds = 1, next }: Load): Promise<LoadResult> {
  const latencies: number[] = []
  const statuses: Record<number, number> = {}
  let measuring = false
  let stopped = false
  const clients = Array.from({ length: connections }, () => drive(port, next, () => stopped, onAnswer))
  function onAnswer(status: number, ms: number) {
    if (!measuring) return
    latencies.push(ms)
    statuses[status] = (statuses[status] ?? 0) + 1
  }
  await delay(warmUpSeconds * 1000)
  measuring = true
  const startedAt = performance.now()
  await delay(seconds * 1000)
  measuring = false
  const elapsed = (performance.now() - startedAt) / 1000
  stopped = true
  await Promise.all(clients)
  latencies.sort((a, b) => a - b)
  const at = (share: number) => latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0
  return {
    requests: latencies.length,
    seconds: elapsed,
    perSecond: latencies.length / elapsed,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    statuses,
  }
}

/** One HTTP/1.1 request as bytes on the wire. */
export function request(method: string, path: string, token: string | undefined, body?: unknown): string {
  const json = body === undefined ? '' : JSON.stringify(body)
  const authorization = token === undefined ? '' : `authorization: Bearer ${token}\r\n`
  const content = json ? `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(json)}\r\n` : ''
  return `${method} ${path} HTTP/1.1\r\nhost: localhost\r\n${authorization}${content}\r\n${json}`
}

function drive(
  port: number,
  next: () => string,
  isStopped: () => boolean,
  onAnswer: (status: number, ms: number) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket: Socket = connect(port, '127.0.0.1')
    socket.setNoDelay(true)
    socket.setEncoding('latin1')
    let sentAt = 0
    let received = ''
    const send = () => {
      sentAt = performance.now()
      socket.write(next())
    }
    socket.on('connect', send)
    socket.on('error', reject)
    socket.on('close', () => resolve())
    socket.on('data', (chunk: string) => {
      received += chunk
      const head = received.indexOf('\r\n\r\n')
      if (head < 0) return
      const length = Number(/content-length: (\d+)/i.exec(received)?.[1] ?? 0)
      if (received.length < head + 4 + length) return
      const status = Number(received.slice(9, 12))
      received = ''
      onAnswer(status, performance.now() - sentAt)
      if (isStopped()) socket.end()
      else send()
    })
  })
}

function delay(ms: number): Promise<void> {
  return new Promise(resolve => setTimeout(resolve, ms))
}
