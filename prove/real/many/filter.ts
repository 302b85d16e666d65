import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Random } from '../../sim/random.ts'

/** A proxy for one node of etcd that drops some events of watches, as a bug of etcd once did. */
export class WatchFilter {
  /** Number of dropped events. */
  dropped = 0
  readonly #random: Random
  readonly #share: number
  readonly #server = createServer((incoming, outgoing) => this.#pass(incoming, outgoing))
  readonly #target: URL

  /** Drops each message of a watch with the probability `share`. */
  constructor(target: string, share: number, random: Random) {
    this.#target = new URL(target)
    this.#share = share
    this.#random = random
  }

  /** Resolves with the address to use in place of the node's. */
  async listen(): Promise<string> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  close(): void {
    this.#server.close()
    this.#server.closeAllConnections()
  }

  #pass(incoming: IncomingMessage, outgoing: ServerResponse): void {
    const { hostname, port } = this.#target
    const options = { hostname, port, path: incoming.url, method: incoming.method, headers: incoming.headers }
    const asked = request(options, answer => {
      outgoing.writeHead(answer.statusCode ?? 502, answer.headers)
      if (incoming.url === '/v3/watch') this.#filter(answer, outgoing)
      else answer.pipe(outgoing)
      answer.on('error', () => outgoing.destroy())
    })
    asked.on('error', () => outgoing.destroy())
    outgoing.on('close', () => asked.destroy())
    incoming.pipe(asked)
  }

  /** Passes on the messages of a watch, one per line, except those to drop. The first confirms the watch and is always passed on. */
  #filter(answer: IncomingMessage, outgoing: ServerResponse): void {
    let rest = ''
    answer.setEncoding('utf8')
    answer.on('data', (chunk: string) => {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop()!
      for (const line of lines) {
        const isNews = line.includes('"events"')
        if (isNews && this.#random() < this.#share) this.dropped++
        else outgoing.write(`${line}\n`)
      }
    })
    answer.on('end', () => outgoing.end())
  }
}
