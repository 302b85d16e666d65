import type { IncomingMessage } from 'node:http'
import { setTimeout as delay } from 'node:timers/promises'
import { HubClient } from '../../src/client/hub-client.ts'
import type { HubWay } from '../../src/client/hubs.ts'
import { DirectTransport } from '../../src/client/transport/direct.ts'
import { SeveralHubs } from '../../src/client/transport/several.ts'
import type { Transport, TransportRequest } from '../../src/client/transport/transport.ts'
import { api } from '../../src/protocol/api.ts'
import { ClaudeNetError } from '../../src/protocol/errors.ts'
import { parseCursor } from '../../src/protocol/events.ts'
import { newMessageId } from '../../src/protocol/ids.ts'
import { seqHeader } from '../../src/protocol/seq-header.ts'
import type { Act, Acts, History, Results } from '../checker/history.ts'
import { between, pick, type Random } from '../sim/random.ts'
import type { Credential } from './cluster.ts'

export interface MemberOptions {
  credential: Credential
  /** The hubs; a member tries the next one when one does not respond. */
  urls: readonly URL[]
  /** All members to write to, including this one. */
  names: readonly string[]
  /** Whether it sends to `all`, which requires that there are no machines besides `names`. */
  broadcasts: boolean
  history: History
  random: Random
  /** Time after which a missing response counts as unknown, in ms. */
  timeoutMs: number
  /** Longest pause between two sends of a lane, in ms. */
  paceMs: number
  /** Longest pause between two reads, in ms; twice as long between two requests for receipts. */
  readPaceMs: number
  /** Number of concurrent sends. */
  lanes: number
  /** Maximum number of characters of a text. */
  textLength: number
  /** Whether hubs may be behind one another: operations then record the seq that the member has seen. */
  mayLag: boolean
  /** Returns the headers of each request, given the highest seq that this member has seen. */
  headers?: (known: number) => Record<string, string>
}

/**
 * A machine with an inbox over real TCP. It sends, reads, acks, requests receipts and follows its inbox, and records each operation in the
 * history.
 */
export class Member {
  readonly name: string
  /** All messages that its streams have shown. */
  readonly shown = new Set<string>()
  /** Longest time from the first attempt of a send to its response, in ms. */
  worstSendMs = 0
  /** Number of sends acknowledged as stored. */
  acknowledged = 0
  readonly #options: MemberOptions
  readonly #clients: HubClient[]
  readonly #hubs: HubsAsOne | undefined
  readonly #sent: string[] = []
  readonly #closing = new AbortController()
  readonly #others: string[]
  #stream = new AbortController()
  #home: number
  #known = 0
  #shown: string[] = []
  #isStopping = false
  #lives: Promise<unknown> = Promise.resolve()
  #follows: Promise<unknown> = Promise.resolve()

  constructor(options: MemberOptions) {
    const { credential, urls, timeoutMs, random } = options
    this.name = credential.name
    this.#options = options
    this.#others = options.names.filter(name => name !== this.name)
    const { token } = credential
    // Hubs over one log are used in the same way as by the machine's client.
    this.#hubs = options.mayLag ? new HubsAsOne(urls, random) : undefined
    this.#clients = this.#hubs
      ? [new HubClient({ transport: this.#hubs, token })]
      : urls.map(url => new HubClient({ transport: new DirectTransport(url), token, timeoutMs }))
    this.#home = Math.floor(random() * this.#clients.length)
  }

  /** Starts all activities, concurrently. */
  start(): void {
    const lanes = Array.from({ length: this.#options.lanes }, () => this.#sends())
    this.#lives = Promise.all([...lanes, this.#reads(), this.#asks()])
    this.#follows = this.#follow()
    // Callers that await them get the error; this only prevents an unhandled rejection before.
    this.#lives.catch(() => {})
    this.#follows.catch(() => {})
  }

  /** Starts nothing new. Resolves when everything in flight has completed. */
  async finish(): Promise<void> {
    this.#isStopping = true
    await this.#lives
  }

  /** Closes its stream, which reopens from its cursor. */
  breakStream(): void {
    this.#stream.abort()
  }

  /** Closes its streams and connections. */
  async close(): Promise<void> {
    this.#isStopping = true
    this.#closing.abort()
    await this.#follows
    for (const client of this.#clients) client.close()
  }

  async #sends(): Promise<void> {
    while (!this.#isStopping) {
      const act = this.#write()
      const { id, body, to, replyTo } = act
      const address = to === this.#others && this.#options.broadcasts ? 'all' : to
      const began = performance.now()
      for (;;) {
        const { ended } = await this.#do(act, client =>
          client
            .call(api.sendMessage, {
              ...this.#headers,
              body: { id, to: address, body, ...(replyTo !== undefined && { replyTo, intent: 'inform' as const }) },
            })
            .then(({ seq }) => ({ seq })),
        )
        if (ended === 'ok') {
          this.acknowledged++
          this.#sent.push(id)
        }
        if (ended !== 'unknown') break
        if (this.#closing.signal.aborted) return
        await this.#pause(200)
      }
      this.worstSendMs = Math.max(this.worstSendMs, performance.now() - began)
      await this.#pause(this.#options.paceMs)
    }
  }

  #write(): Acts['send'] {
    const { random, names, textLength } = this.#options
    const id = newMessageId()
    const chance = random()
    const others = this.#others
    const several = [...others].sort(() => random() - 0.5).slice(0, 2)
    const to = chance < 0.15 ? others : chance < 0.3 && others.length > 1 ? several : [pick(random, names)]
    const body = `${this.name} writes ${id} ${'·'.repeat(random() * random() * textLength)}`
    const replyTo = this.#shown.length > 0 && random() < 0.1 ? pick(random, this.#shown) : undefined
    return { kind: 'send', id, from: this.name, to, body, ...(replyTo !== undefined && { replyTo }) }
  }

  async #reads(): Promise<void> {
    const { random, readPaceMs } = this.#options
    while (!this.#isStopping) {
      await this.#pause(readPaceMs)
      const { answer } = await this.#do({ kind: 'read', inbox: this.name, ...this.#least }, client =>
        client.call(api.readInbox, this.#headers).then(({ messages, more, unread }) => ({
          messages: messages.map(({ id, seq, from, body }) => ({ id, seq, from, body })),
          complete: more === 0,
          unread,
        })),
      )
      const ids = answer?.messages.map(({ id }) => id) ?? []
      if (ids.length === 0) continue
      this.#shown = ids
      if (random() < 0.4) await this.#fetched(ids)
      const some = ids.filter(() => random() < 0.8)
      if (some.length > 0) await this.#acks(some)
    }
  }

  async #fetched(ids: string[]): Promise<void> {
    const session = `session-of-${this.name}`
    await this.#do({ kind: 'fetched', inbox: this.name, ids, session }, client =>
      client
        .call(api.markFetched, { ...this.#headers, body: { ids, session } })
        .then(({ fetched, unknown }) => ({ fetched, unknown })),
    )
  }

  /** Acks once; repeats mostly after an unknown outcome, and at times after a response. */
  async #acks(ids: string[]): Promise<void> {
    const { random } = this.#options
    for (let tries = 0; tries < 5; tries++) {
      const { ended } = await this.#do({ kind: 'ack', inbox: this.name, ids }, client =>
        client
          .call(api.ackInbox, { ...this.#headers, body: { ids } })
          .then(({ acked, unknown }) => ({ acked, unknown })),
      )
      if (ended !== 'unknown' ? random() < 0.9 : random() < 0.3) return
    }
  }

  /** Requests the receipts of its sends repeatedly. */
  async #asks(): Promise<void> {
    const { random, readPaceMs } = this.#options
    while (!this.#isStopping) {
      await this.#pause(readPaceMs * 2)
      if (this.#sent.length === 0) continue
      const id = random() < 0.5 ? this.#sent.at(-1)! : pick(random, this.#sent)
      await this.#do({ kind: 'receipts', of: this.name, id, ...this.#least }, client =>
        client.call(api.getMessage, { ...this.#headers, params: { id } }).then(({ receipts }) => ({
          receipts: receipts.map(({ name, status, fetchedBySession: session }) => ({
            recipient: name,
            status,
            ...(status === 'fetched' && session !== undefined && { session }),
          })),
        })),
      )
    }
  }

  /** Follows its inbox from its last cursor, across every disconnection. */
  async #follow(): Promise<void> {
    const { history } = this.#options
    const { signal } = this.#closing
    let cursor: string | undefined
    while (!signal.aborted) {
      const after = cursor === undefined ? undefined : parseCursor(cursor)?.seq
      const op = history.begin({ kind: 'follow', inbox: this.name, ...(after !== undefined && { after }) })
      try {
        const ready = (at: string) => (cursor = at)
        this.#stream = new AbortController()
        const ends = AbortSignal.any([signal, this.#stream.signal])
        for await (const event of this.#client.events({ cursor, signal: ends, ready })) {
          if (event.event === 'presence') continue
          const { id, seq } = event.data
          if (event.event === 'inbox') {
            this.shown.add(id)
            history.recordEvent(op, { kind: 'inbox', id, seq, from: event.data.from })
          } else {
            const { recipient, status } = event.data
            history.recordEvent(op, { kind: 'receipt', id, seq, recipient, status })
          }
          if (event.cursor === undefined) continue
          cursor = event.cursor
          // Of several events with one seq, only the last has a cursor: only then have all of them arrived.
          this.#known = Math.max(this.#known, seq)
        }
      } catch (error) {
        if (!(error instanceof ClaudeNetError)) throw error
        this.#moveOn()
      }
      history.end(op, { type: 'unknown', why: 'the stream has ended' })
      await delay(between(Math.random, 20, 200), undefined, { signal }).catch(() => {})
    }
  }

  /** Runs one operation, and records the request and its outcome. */
  async #do<Kind extends keyof Results>(
    act: Act & { kind: Kind },
    call: (client: HubClient) => Promise<Results[Kind]>,
  ): Promise<{ ended: 'ok' | 'fail' | 'unknown'; answer?: Results[Kind] }> {
    const { history } = this.#options
    const op = history.begin(act)
    const home = this.#home
    try {
      const answer: Results[Kind] = await call(this.#client)
      if (this.#hubs) answer.at = this.#hubs.seq
      history.end(op, { type: 'ok', result: answer })
      this.#learn(answer)
      return { ended: 'ok', answer }
    } catch (error) {
      if (!(error instanceof ClaudeNetError)) throw error
      const ended = error.settled ? 'fail' : 'unknown'
      history.end(op, { type: ended, why: `${error.code}: ${error.message}` })
      if (ended === 'unknown' && this.#home === home) this.#moveOn()
      return { ended }
    }
  }

  #learn(result: Results[keyof Results]): void {
    if ('seq' in result) this.#known = Math.max(this.#known, result.seq)
    if ('messages' in result) for (const { seq } of result.messages) this.#known = Math.max(this.#known, seq)
  }

  get #least(): { atLeast?: number } {
    return this.#hubs ? { atLeast: this.#hubs.seq } : {}
  }

  get #headers(): { headers?: Record<string, string> } {
    const { headers } = this.#options
    return headers ? { headers: headers(this.#known) } : {}
  }

  get #client(): HubClient {
    return this.#clients[this.#home]!
  }

  #moveOn(): void {
    this.#home = (this.#home + 1) % this.#clients.length
  }

  /** Waits for a random time; ends early when the member closes. */
  async #pause(mostMs: number): Promise<void> {
    const { signal } = this.#closing
    await delay(this.#options.random() * mostMs, undefined, { signal }).catch(() => {})
  }
}

/** The hubs as in a machine's configuration, with a random one as its own. */
class HubsAsOne implements Transport {
  /** The highest seq of the log in any response. */
  seq = 0
  readonly #several: SeveralHubs

  constructor(urls: readonly URL[], random: Random) {
    const at = Math.floor(random() * urls.length)
    const [home, ...others] = [...urls.slice(at), ...urls.slice(0, at)].map(wayTo)
    this.#several = new SeveralHubs({
      ways: () => [home!, ...others],
      open: ({ hub }) => new DirectTransport(hub),
      memory: { read: () => undefined, write: () => {} },
    })
  }

  get label(): string {
    return this.#several.label
  }

  async request(request: TransportRequest): Promise<IncomingMessage> {
    const answer = await this.#several.request(request)
    this.seq = Math.max(this.seq, Number(answer.headers[seqHeader] ?? 0))
    return answer
  }

  opened(): Promise<void> {
    return this.#several.opened()
  }

  close(): void {
    this.#several.close()
  }
}

function wayTo(hub: URL): HubWay {
  return { id: hub.href, hub, sshHost: 'local', hubKey: undefined }
}
