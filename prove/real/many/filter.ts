import { once } from 'node:events'
import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Random } from '../../sim/random.ts'

/** A proxy before one node of etcd that keeps some of what a watch tells to itself, as watches of etcd have done. */
export class WatchFilter {
  /** How many events were left out. */
  dropped = 0
  readonly #random: Random
  readonly #share: number
  readonly #server = createServer((incoming, outgoing) => this.#pass(incoming, outgoing))
  readonly #target: URL

  /** Leaves out each message of a watch with the chance `share`. */
  constructor(target: string, share: number, random: Random) {
    this.#target = new URL(target)
    this.#share = share
    this.#random = random
  }

  /** Resolves with the address to ask in place of the node's. */
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

  /** The messages of a watch are lines. The first of them says that the watch was made, and passes. */
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
