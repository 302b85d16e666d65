// A closed-loop load generator: each connection sends its next request when the previous response is complete.
import { setTimeout as delay } from 'node:timers/promises'
import { type Answer, Connection, expectStored } from './connection.ts'

export interface LoadResult {
  requests: number
  perSecond: number
  p50Ms: number
  p99Ms: number
  /** Share of one core that this process used while measuring. Near 1, the generator is the limit and not the server. */
  generatorCores: number
}

export interface Load {
  port: number
  connections: number
  /** Duration of the measurement. */
  seconds: number
  /** Duration of the same load before the measurement starts. */
  warmUpSeconds?: number
  /** Returns the next request of connection 0, 1, …, as bytes on the wire. */
  next: (connection: number) => string
  /** Throws on a wrong response. By default requests must be sends that are stored. */
  expect?: (answer: Answer) => void
}

/** Measures the load. Throws when a response is not as expected. */
export async function runLoad({
  port,
  connections,
  seconds,
  warmUpSeconds = 1,
  next,
  expect = expectStored,
}: Load): Promise<LoadResult> {
  const latencies: number[] = []
  let measuring = false
  let stopped = false
  const onAnswer = (ms: number) => {
    if (measuring) latencies.push(ms)
  }
  const opened = await Promise.all(Array.from({ length: connections }, () => Connection.open(port)))
  const driven = Promise.all(
    opened.map((connection, index) =>
      drive(connection, { next: () => next(index), expect, isStopped: () => stopped, onAnswer }),
    ),
  )
  const measured = (async () => {
    await delay(warmUpSeconds * 1000)
    measuring = true
    const startedAt = performance.now()
    const cpuBefore = process.cpuUsage()
    await delay(seconds * 1000)
    measuring = false
    const elapsed = (performance.now() - startedAt) / 1000
    const { user, system } = process.cpuUsage(cpuBefore)
    return { elapsed, generatorCores: (user + system) / 1e6 / elapsed }
  })()
  // Awaited together, so that a failing connection ends the round at once.
  const { elapsed, generatorCores } = await Promise.race([measured, driven.then(() => measured)])
  stopped = true
  await driven
  latencies.sort((a, b) => a - b)
  return {
    requests: latencies.length,
    perSecond: latencies.length / elapsed,
    p50Ms: quantile(latencies, 0.5),
    p99Ms: quantile(latencies, 0.99),
    generatorCores,
  }
}

/** Sends `count` messages over `connections` connections, each as soon as the previous one got its response. */
export async function sendAll(
  port: number,
  connections: number,
  count: number,
  next: (connection: number) => string,
): Promise<void> {
  let left = count
  const opened = await Promise.all(Array.from({ length: connections }, () => Connection.open(port)))
  await Promise.all(
    opened.map(async (connection, index) => {
      while (left-- > 0) expectStored(await connection.ask(next(index)))
      connection.close()
    }),
  )
}

/** Returns an HTTP/1.1 request as bytes on the wire. */
export function request(method: string, path: string, token: string | undefined, body?: unknown): string {
  const json = body === undefined ? '' : JSON.stringify(body)
  const authorization = token === undefined ? '' : `authorization: Bearer ${token}\r\n`
  const content = json ? `content-type: application/json\r\ncontent-length: ${Buffer.byteLength(json)}\r\n` : ''
  return `${method} ${path} HTTP/1.1\r\nhost: localhost\r\n${authorization}${content}\r\n${json}`
}

/** Returns the value below which `share` of the sorted `values` lie; NaN for no values. */
export function quantile(sorted: readonly number[], share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

interface Driver {
  next: () => string
  expect: (answer: Answer) => void
  isStopped: () => boolean
  onAnswer: (ms: number) => void
}

function drive(connection: Connection, { next, expect, isStopped, onAnswer }: Driver): Promise<void> {
  return new Promise((resolve, reject) => {
    let sentAt = 0
    const send = () => {
      sentAt = performance.now()
      connection.send(next(), take, reject)
    }
    const take = (answer: Answer) => {
      const ms = performance.now() - sentAt
      try {
        expect(answer)
      } catch (error) {
        reject(error)
        return
      }
      onAnswer(ms)
      if (!isStopped()) return send()
      connection.close()
      resolve()
    }
    send()
  })
}
