import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'
import type { TestHub } from './hub.ts'
import type { TestMachine } from './machine.ts'

/**
 * Fault in one response of the hub. The request has been forwarded completely in every case, so the hub has executed it.
 *
 *   cut      all but its last byte is passed on, then the connection is closed
 *   reset    none of it is passed on, the connection is reset
 *   swallow  none of it is passed on, the connection stays open: the client waits until its timeout
 *   hold     it is passed on when `release` is called
 */
export type Fault = 'cut' | 'reset' | 'swallow' | 'hold'

interface Plan {
  fault: Fault
  /** Start of the request line: `POST /v1/inbox/ack`. */
  request: string
  /** Number of such requests that are passed on before the fault. */
  after: number
  happened: () => void
}

/**
 * A TCP proxy in front of any HTTP server that can make responses fail. It parses HTTP/1.1 only as far as needed to find the start of a
 * request.
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
   * Makes the response to the next request that begins with `request` fail, after `after` such requests have passed. Returns a promise that
   * resolves when the hub has responded.
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
    // If one side ends or fails, the other is closed too, as without a proxy.
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

/** Changes the address of the hub in the configuration of `machine`, for processes started from now on. */
export function reachAt(machine: TestMachine, url: URL): void {
  const file = `${machine.home}/config.json`
  writeFileSync(file, JSON.stringify({ ...JSON.parse(readFileSync(file, 'utf8')), hub: url.origin }))
}
