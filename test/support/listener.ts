import { onTestFinished } from 'vitest'
import type { HubClient } from '../../src/client/hub-client.ts'
import type { StreamEvent } from '../../src/protocol/events.ts'
import { until } from './until.ts'

export type Received = StreamEvent & { cursor?: string }

/** One open event stream and every event received on it. Closed with the test. */
export class Listener {
  readonly received: Received[] = []
  /** Resolves when the stream has ended, on either side. Rejects if the hub refused it or the connection broke. */
  readonly ended: Promise<void>
  readonly #stop = new AbortController()
  #isOpen = false
  #isOver = false
  /** Cursor at the end of the stream's backlog. */
  readyAt: string | undefined

  constructor(client: HubClient, options: { cursor?: string; session?: string; project?: string } = {}) {
    this.ended = this.#run(client, options)
    this.ended.catch(() => {})
    onTestFinished(() => this.stop())
  }

  /** The events so far, without presence. */
  get changes(): Exclude<Received, { event: 'presence' }>[] {
    return this.received.filter(each => each.event !== 'presence')
  }

  /** The last cursor received, from which another stream continues. */
  get cursor(): string | undefined {
    return this.received.findLast(each => each.cursor !== undefined)?.cursor
  }

  /** Resolves when the hub has accepted the stream. */
  async opened(): Promise<this> {
    await Promise.race([until('the stream opens', () => this.#isOpen), this.ended])
    return this
  }

  /** Returns the first `count` changes (inbox and receipt), once that many were received. */
  async first(count: number): Promise<Exclude<Received, { event: 'presence' }>[]> {
    await until(`${count} events; received so far: ${JSON.stringify(this.received)}`, () => {
      if (this.changes.length < count && this.#isOver) throw new Error(`the stream ended after ${this.changes.length}`)
      return this.changes.length >= count
    })
    return this.changes.slice(0, count)
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    await this.ended.catch(() => {})
  }

  async #run(client: HubClient, options: { cursor?: string; session?: string; project?: string }): Promise<void> {
    try {
      const { signal } = this.#stop
      const opened = () => (this.#isOpen = true)
      const ready = (cursor: string) => (this.readyAt = cursor)
      for await (const event of client.events({ ...options, signal, opened, ready })) this.received.push(event)
    } finally {
      this.#isOver = true
    }
  }
}
