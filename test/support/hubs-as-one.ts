import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { DirectTransport } from '../../src/client/transport/direct.ts'
import type { Transport, TransportRequest } from '../../src/client/transport/transport.ts'
import { minSeqParameter, seqHeader } from '../../src/protocol/seq-header.ts'
import type { EtcdCluster } from './etcd.ts'
import { TestHub } from './hub.ts'

/**
 * Three hubs over one log, used as one: the requests of a client are sent to them in turn, each with the newest position that any client
 * has seen. Its log, address and exit status are those of the first hub.
 */
export class HubsAsOne extends TestHub {
  readonly #cluster: EtcdCluster
  readonly #name: string
  readonly #others: TestHub[]
  readonly #turn = { count: 0, seq: 0 }
  #isNew = true

  constructor(cluster: EtcdCluster, dataDir: string) {
    const name = randomUUID()
    const config = (hubName: string) => ({ journal: { endpoints: cluster.endpoints, name }, hubName })
    super({ dataDir, config: config('h0') })
    this.#cluster = cluster
    this.#name = name
    this.#others = [1, 2].map(at => new TestHub({ dataDir: `${dataDir}-${at}`, config: config(`h${at}`) }))
  }

  override async start(): Promise<void> {
    if (this.#isNew) await this.#cluster.log(this.#name)
    this.#isNew = false
    await Promise.all([super.start(), ...this.#others.filter(hub => !hub.isRunning).map(hub => hub.start())])
  }

  override async stop(signal?: NodeJS.Signals): Promise<number | string> {
    const [ended] = await Promise.all([super.stop(signal), ...this.#others.map(hub => hub.stop(signal))])
    return ended
  }

  override async close(): Promise<void> {
    await super.close()
    await Promise.all(this.#others.map(hub => hub.close()))
  }

  protected override transport(): Transport {
    const urls = [this, ...this.#others].map(hub => hub.url)
    return new InTurn(urls, this.#turn)
  }
}

/** Sends each request to the next of several hubs. A stream that a hub ends is requested again from another. */
class InTurn implements Transport {
  readonly label: string
  readonly #ways: Transport[]
  readonly #turn: { count: number; seq: number }

  constructor(urls: readonly URL[], turn: { count: number; seq: number }) {
    this.label = urls[0]!.href
    this.#ways = urls.map(url => new DirectTransport(url))
    this.#turn = turn
  }

  async request(request: TransportRequest): Promise<IncomingMessage> {
    const turn = this.#turn
    const way = this.#ways[turn.count++ % this.#ways.length]!
    const path =
      turn.seq === 0 || request.headers.authorization === undefined
        ? request.path
        : `${request.path}${request.path.includes('?') ? '&' : '?'}${minSeqParameter}=${turn.seq}`
    const answer = await way.request({ ...request, path })
    turn.seq = Math.max(turn.seq, Number(answer.headers[seqHeader] ?? 0))
    return answer
  }

  async opened(): Promise<void> {}

  close(): void {
    for (const way of this.#ways) way.close()
  }
}
