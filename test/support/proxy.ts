import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { TestHub } from './hub.ts'
import type { TestMachine } from './machine.ts'

/**
 * Fault of one response of the hub. The request has been forwarded completely in every case, so the hub has executed it.
 *
 *   cut      all but the last byte of it passes, then the connection is closed
 *   reset    nothing of it passes, the connection is reset
 *   swallow  nothing of it passes, the connection stays open: the client waits in vain
 *   hold     it passes when `release` is called
 */
export type Fault = 'cut' | 'reset' | 'swallow' | 'hold'

interface Plan {
  fault: Fault
  /** Start of the request line: `POST /v1/inbox/ack`. */
  request: string
  /** Number of such requests that are passed on first. */
  after: number
  happened: () => void
}

/**
 * A TCP proxy in front of any HTTP server that can make responses fail. It understands just enough HTTP/1.1 to detect where a request
 * begins.
 */
export class HubProxy {
  readonly #hub: Pick<TestHub, 'port'>
  readonly #sockets = new Set<Socket>()
  readonly #plans: Plan[] = []
  readonly #held: (() => void)[] = []
  /** The line of every request received, in order: `GET /v1/inbox?limit=100`. */
  readonly requests: string[] = []
  #server: Server | undefined
  #port = 0

  constructor(hub: Pick<TestHub, 'port'>) {
    this.#hub = hub
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${this.#port}`)
  }

  /** Starts listening, on the same port as before. */
  async accept(): Promise<void> {
    this.#server = createServer(socket => this.#join(socket)).listen(this.#port, '127.0.0.1')
    await once(this.#server, 'listening')
    this.#port = (this.#server.address() as { port: number }).port
  }

  /** Resets every connection and refuses new ones, until `accept`. */
  async refuse(): Promise<void> {
    const server = this.#server
    this.#server = undefined
    for (const socket of this.#sockets) socket.resetAndDestroy()
    if (server) await new Promise(resolve => server.close(resolve))
  }

  /**
   * Makes the response to the next request that begins so fail, or to the one after `after` of them. Returns a promise for the moment when
   * the hub has responded.
   */
  spoil(fault: Fault, request: string, after = 0): Promise<void> {
    return new Promise(happened => this.#plans.push({ fault, request, after, happened }))
  }

  /** Releases every held response. */
  release(): void {
    for (const pass of this.#held.splice(0)) pass()
  }

  #join(client: Socket): void {
    const hub = connect(this.#hub.port, '127.0.0.1')
    let plan: Plan | undefined
    for (const socket of [client, hub]) {
      this.#sockets.add(socket)
      socket.on('close', () => this.#sockets.delete(socket))
      socket.on('error', () => {})
    }
    client.on('data', chunk => {
      const line = /^(?:GET|POST|PUT|DELETE) \S+(?= HTTP\/1\.1\r\n)/.exec(chunk.toString('latin1'))?.[0]
      if (line !== undefined) {
        this.requests.push(line)
        plan = this.#take(line)
      }
      hub.write(chunk)
    })
    hub.on('data', chunk => {
      if (!plan) client.write(chunk)
      else if (plan.fault === 'hold') this.#held.push(() => client.write(chunk))
      else spoilAnswer(plan.fault, client, chunk)
      plan?.happened()
    })
    // A side that ends or fails takes the other with it, as without a proxy.
    client.on('close', () => hub.destroy())
    hub.on('end', () => client.end())
    hub.on('close', () => plan?.fault === 'swallow' || client.destroy())
  }

  #take(line: string): Plan | undefined {
    const plan = this.#plans.find(({ request }) => line.startsWith(request))
    if (!plan || plan.after-- > 0) return undefined
    this.#plans.splice(this.#plans.indexOf(plan), 1)
    return plan
  }
}

function spoilAnswer(fault: Fault, client: Socket, answer: Buffer): void {
  if (fault === 'reset') client.resetAndDestroy()
  if (fault !== 'cut' || client.destroyed) return
  client.write(answer.subarray(0, -1), () => client.destroy())
}

/** Starts a proxy in front of `hub`, for the running test. */
export async function startProxy(hub: TestHub): Promise<HubProxy> {
  const proxy = new HubProxy(hub)
  onTestFinished(() => proxy.refuse())
  await proxy.accept()
  return proxy
}

/** Makes `machine` reach its hub at `url` from its next process on. */
export function reachAt(machine: TestMachine, url: URL): void {
  const file = `${machine.home}/config.json`
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), hub: url.origin }))
}
