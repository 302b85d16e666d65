import { createServer, type IncomingHttpHeaders, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import { until } from './until.ts'

/** One post, as received. */
export interface Received {
  headers: IncomingHttpHeaders
  /** As it was sent, byte for byte. */
  body: string
  json: { type?: string; data?: Record<string, unknown> } & Record<string, unknown>
}

type Answer = (response: ServerResponse, request: IncomingMessage, received: Received) => void

/** Responds with a status. */
export const status =
  (code: number, headers: Record<string, string> = {}): Answer =>
  response =>
    void response.writeHead(code, headers).end()

/** A receiver of webhooks on loopback, for the running test. `answer` may be replaced at any time. */
export class Receiver {
  answer: Answer = status(204)
  readonly posts: Received[] = []
  readonly #server = createServer((request, response) => {
    let body = ''
    request.setEncoding('utf8').on('data', chunk => (body += chunk))
    request.on('error', () => {})
    request.on('end', () => {
      const received = { headers: request.headers, body, json: JSON.parse(body) }
      this.posts.push(received)
      this.answer(response, request, received)
    })
  })
  #port = 0

  get url(): string {
    return `http://127.0.0.1:${this.#port}/hook`
  }

  /** Listens, on the previous port if there was one. */
  async start(): Promise<this> {
    await new Promise<void>(resolve => this.#server.listen(this.#port, '127.0.0.1', resolve))
    this.#port = (this.#server.address() as AddressInfo).port
    return this
  }

  /** Accepts no more connections, and cuts the open ones. */
  async stop(): Promise<void> {
    const closed = new Promise<void>(resolve => this.#server.close(() => resolve()))
    this.#server.closeAllConnections()
    await closed
  }

  /** Resolves once it has received this many posts, or one for which `claim` is true. */
  got(claim: number | ((post: Received) => boolean)): Promise<Received> {
    return until('a post', () =>
      typeof claim === 'number' ? this.posts.length >= claim && this.posts[claim - 1]! : this.posts.find(claim),
    )
  }
}

export async function startReceiver(): Promise<Receiver> {
  const receiver = await new Receiver().start()
  onTestFinished(() => receiver.stop())
  return receiver
}
