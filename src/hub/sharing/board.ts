/** Most bytes of one value, in UTF-8. Larger values are neither put nor read. */
export const maxValueBytes = 200_000

/** Most hubs, and topics of one hub, that are read: anyone who reaches etcd can write there. */
const maxHubs = 64
const maxTopics = 64

const hubPattern = /^[a-z0-9][a-z0-9-]{0,62}$/
const topicPattern = /^[a-z0-9-]{1,32}(\/[0-9]{1,3})?$/

/**
 * Ephemeral state that the hubs of one log share: under each topic the newest value of each hub, for as long as that hub is online. Not
 * durable; a value may be late, or missing while etcd is unreachable, so it never decides an outcome.
 */
export interface Board {
  /** Puts `value` (JSON) under `topic` (`presence`, or `presence/7` for one part of several) for the other hubs, within about a second. */
  put(topic: string, value: string): void
  /**
   * Calls `listener` with each changed value of another hub; undefined when it was removed or its hub went offline. Returns a function that
   * unsubscribes.
   */
  onChange(listener: (hub: string, topic: string, value: string | undefined) => void): () => void
  /** Values of the other hubs, by hub, then by topic. Hubs without values are omitted. */
  readonly peers: ReadonlyMap<string, ReadonlyMap<string, string>>
  /** Removes this hub's values, and stops calling listeners. */
  close(): Promise<void>
}

/** The board of a standalone hub: discards what is put. */
export const noBoard: Board = { put: () => {}, onChange: () => () => {}, peers: new Map(), close: async () => {} }

/** Storage of a board: stores one hub's values under `HUB/TOPIC`, and reports all hubs' values. */
export interface Carrier {
  put(key: string, value: string): void
  close(): Promise<void>
}

/** A board over a carrier. Ignores values of other hubs that are malformed or exceed the limits. */
export class SharedBoard implements Board {
  readonly #own: string
  readonly #carrier: Carrier
  #isClosed = false
  readonly #peers = new Map<string, Map<string, string>>()
  readonly #listeners = new Set<(hub: string, topic: string, value: string | undefined) => void>()

  /** `open` calls its argument with each stored key, then with each that is added, changed or (undefined) removed. */
  constructor(hub: string, open: (received: (key: string, value: string | undefined) => void) => Carrier) {
    this.#own = hub
    this.#carrier = open((key, value) => this.#received(key, value))
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

  #received(key: string, value: string | undefined): void {
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
