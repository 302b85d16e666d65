/** Most bytes of one value on the board, in UTF-8. A larger one is not put, and one of a peer is not read. */
export const maxValueBytes = 200_000

/** Most hubs, and topics of one hub, that are read: whoever reaches etcd can write there. */
const maxHubs = 64
const maxTopics = 64

const hubPattern = /^[a-z0-9][a-z0-9-]{0,62}$/
const topicPattern = /^[a-z0-9-]{1,32}(\/[0-9]{1,3})?$/

/**
 * What the hubs of one log tell each other that is only true now: under each topic the newest value of each hub, for as long as that
 * hub is there. Nothing of it is durable, and a value comes late, or not at all where etcd does not answer: it never decides an outcome.
 */
export interface Board {
  /** Shows `value` (JSON) under `topic` (`presence`, or `presence/7` where it is divided) to the others, in about a second. */
  put(topic: string, value: string): void
  /** Calls `listener` with each value of another hub that has changed; undefined when it, or its hub, is gone. Returns a function that ends this. */
  onChange(listener: (hub: string, topic: string, value: string | undefined) => void): () => void
  /** The values of the other hubs: by hub, then by topic. A hub without any value is not among them. */
  readonly peers: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** Takes down what this hub has put, and tells of no more changes. */
  close(): Promise<void>
}

/** The board of a hub that stands alone: what is put there goes nowhere. */
export const noBoard: Board = { put: () => {}, onChange: () => () => {}, peers: new Map(), close: async () => {} }

/** Keeps what one hub puts where others see it, as `HUB/TOPIC`, and tells of all that is kept. */
export interface Carrier {
  put(key: string, value: string): void
  close(): Promise<void>
}

/** A board over a carrier: reads of the others what has the right form and is within bounds. */
export class SharedBoard implements Board {
  readonly #own: string
  readonly #carrier: Carrier
  #isClosed = false
  readonly #peers = new Map<string, Map<string, string>>()
  readonly #listeners = new Set<(hub: string, topic: string, value: string | undefined) => void>()

  /** `open` begins with what is kept now, and calls its argument with each key that is new, changed, or (undefined) gone. */
  constructor(hub: string, open: (hear: (key: string, value: string | undefined) => void) => Carrier) {
    this.#own = hub
    this.#carrier = open((key, value) => this.#hear(key, value))
  }

  get peers(): ReadonlyMap<string, ReadonlyMap<string, string>> {
    return this.#peers
  }

  put(topic: string, value: string): void {
    if (!this.#isClosed && Buffer.byteLength(value) <= maxValueBytes) this.#carrier.put(`${this.#own}/${topic}`, value)
  }

  onChange(listener: (hub: string, topic: string, value: string | undefined) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async close(): Promise<void> {
    this.#isClosed = true
    this.#listeners.clear()
    await this.#carrier.close()
  }

  #hear(key: string, value: string | undefined): void {
    const [hub, ...rest] = key.split('/') as [string, ...string[]]
    const topic = rest.join('/')
    if (hub === this.#own || !hubPattern.test(hub) || !topicPattern.test(topic)) return
    const known = this.#peers.get(hub)
    const isReadable = value !== undefined && Buffer.byteLength(value) <= maxValueBytes
    if (isReadable && !known?.has(topic) && (known?.size ?? 0) >= maxTopics) return
    if (isReadable && !known && this.#peers.size >= maxHubs) return
    if (!isReadable && !known?.delete(topic)) return
    if (isReadable && known?.get(topic) === value) return
    if (isReadable) this.#peers.set(hub, (known ?? new Map<string, string>()).set(topic, value))
    else if (known?.size === 0) this.#peers.delete(hub)
    for (const listener of this.#listeners) listener(hub, topic, isReadable ? value : undefined)
  }
}
