import type { EtcdGateway } from './gateway.ts'

/** How long keys outlive their hub, in s, and how often their lease is renewed, in ms. */
const leaseS = 10
const renewMs = 3000

/** The least time between two writes of what has changed meanwhile, in ms. */
const writeMs = 1000

/** Most bytes that are written in one request: etcd takes 1.5 MB. */
const maxWriteBytes = 1_000_000

/** How often the keys are compared with what the watch has brought, in ms: watches have lost events. */
const lookMs = 10_000

/** A watch that is silent for so long, in ms, is opened anew; etcd shows about every 10 minutes that it lives. */
const silentMs = 900_000

/** Pause before anything that failed is tried again, in ms. */
const retryMs = 500

interface KeyValue {
  key: string
  value?: string
  mod_revision: string
}

interface RangeAnswer {
  header: { revision: string }
  kvs?: KeyValue[]
}

interface WatchMessage {
  created?: boolean
  canceled?: boolean
  events?: { type?: 'PUT' | 'DELETE'; kv: KeyValue }[]
}

/**
 * Keys under one prefix in etcd, for values that are true only now. What this client puts is bound to a lease that it renews, so that
 * it is gone 10 s after the client; each key is written once a second at most. All keys under the prefix are watched.
 */
export class LeasedKeys {
  readonly #gateway: EtcdGateway
  readonly #prefix: string
  readonly #hear: (key: string, value: string | undefined) => void
  readonly #end = new AbortController()
  readonly #own = new Map<string, string>()
  #unwritten = new Set<string>()
  #lease: { id: string; renewedAt: number } | undefined
  #wake: () => void = () => {}
  /** The revision of each key that was told of. */
  readonly #known = new Map<string, bigint>()
  /** What is told by the watch up to this revision was read already. */
  #readAt = 0n
  readonly #running: Promise<unknown>

  /** The gateway is closed with this. `hear` is called with each key (without the prefix) that is new, changed, or (undefined) gone. */
  constructor(gateway: EtcdGateway, prefix: string, hear: (key: string, value: string | undefined) => void) {
    this.#gateway = gateway
    this.#prefix = prefix
    this.#hear = hear
    this.#running = Promise.all([this.#write(), this.#watch(), this.#look()])
  }

  put(key: string, value: string): void {
    if (this.#own.get(key) === value) return
    this.#own.set(key, value)
    this.#unwritten.add(key)
    this.#wake()
  }

  /** Takes down what was put, as far as etcd answers. */
  async close(): Promise<void> {
    this.#end.abort()
    this.#wake()
    await this.#running
    if (this.#lease) await this.#gateway.ask('/v3/lease/revoke', { ID: this.#lease.id }).catch(() => {})
    this.#gateway.close()
  }

  async #write(): Promise<void> {
    const { signal } = this.#end
    let writtenAt = -writeMs
    while (!signal.aborted) {
      try {
        await this.#keepLease()
        if (this.#lease && this.#unwritten.size > 0) {
          writtenAt = performance.now()
          await this.#writeSome(this.#lease.id)
        }
      } catch {
        // Of a lease that etcd does not know any more a new one is made.
        if (this.#lease && performance.now() - this.#lease.renewedAt > leaseS * 1000) this.#lease = undefined
        await this.#pause(retryMs)
        continue
      }
      if (this.#unwritten.size === 0) await this.#pause(renewMs, true)
      await this.#pause(writtenAt + writeMs - performance.now())
    }
  }

  async #keepLease(): Promise<void> {
    const { signal } = this.#end
    const now = performance.now()
    if (this.#lease) {
      if (now - this.#lease.renewedAt < renewMs) return
      const { result } = await this.#gateway.ask<{ result?: { TTL?: string } }>(
        '/v3/lease/keepalive',
        { ID: this.#lease.id },
        signal,
      )
      if (Number(result?.TTL ?? 0) > 0) {
        this.#lease.renewedAt = now
        return
      }
    }
    this.#lease = undefined
    const { ID: id } = await this.#gateway.ask<{ ID: string }>('/v3/lease/grant', { TTL: String(leaseS) }, signal)
    this.#lease = { id, renewedAt: now }
    this.#unwritten = new Set(this.#own.keys())
  }

  /** Writes of what has changed as much as goes into one request. */
  async #writeSome(lease: string): Promise<void> {
    const taken: string[] = []
    let bytes = 0
    for (const key of this.#unwritten) {
      bytes += Buffer.byteLength(this.#own.get(key)!)
      if (taken.length > 0 && bytes > maxWriteBytes) break
      taken.push(key)
    }
    for (const key of taken) this.#unwritten.delete(key)
    try {
      const success = taken.map(key => ({
        request_put: { key: base64(this.#prefix + key), value: base64(this.#own.get(key)!), lease },
      }))
      await this.#gateway.ask('/v3/kv/txn', { success }, this.#end.signal)
    } catch (error) {
      for (const key of taken) this.#unwritten.add(key)
      // The next renewal tells whether the lease is still there.
      if (this.#lease) this.#lease.renewedAt = Math.min(this.#lease.renewedAt, performance.now() - renewMs)
      throw error
    }
  }

  async #watch(): Promise<void> {
    const { signal } = this.#end
    const body = { create_request: { ...this.#range, progress_notify: true } }
    while (!signal.aborted) {
      try {
        for await (const message of this.#gateway.stream<WatchMessage>('/v3/watch', body, { silentMs, signal })) {
          if (message.canceled) break
          // What was written before the watch began is read.
          if (message.created) await this.#read()
          for (const { type, kv } of message.events ?? []) {
            const revision = BigInt(kv.mod_revision)
            if (revision > this.#readAt) this.#tell(kv, revision, type === 'DELETE')
          }
        }
      } catch {
        // It is opened anew.
      }
      await this.#pause(retryMs)
    }
  }

  /** Compares the keys with what is known, and reads all values where they differ. */
  async #look(): Promise<void> {
    const { signal } = this.#end
    for (;;) {
      await this.#pause(lookMs)
      if (signal.aborted) return
      try {
        const range = { ...this.#range, keys_only: true }
        const { kvs = [] } = await this.#gateway.ask<RangeAnswer>('/v3/kv/range', range, signal)
        const isSame = ({ key, mod_revision }: KeyValue) => this.#known.get(this.#nameOf(key)) === BigInt(mod_revision)
        if (kvs.length !== this.#known.size || !kvs.every(isSame)) await this.#read()
      } catch {
        // The next look tells.
      }
    }
  }

  async #read(): Promise<void> {
    const { header, kvs = [] } = await this.#gateway.ask<RangeAnswer>('/v3/kv/range', this.#range, this.#end.signal)
    const revision = BigInt(header.revision)
    // An older answer that was overtaken says nothing.
    if (revision < this.#readAt) return
    this.#readAt = revision
    const there = new Set(kvs.map(({ key }) => this.#nameOf(key)))
    for (const [key, known] of this.#known) {
      if (there.has(key) || known > revision) continue
      this.#known.delete(key)
      this.#hear(key, undefined)
    }
    for (const kv of kvs) this.#tell(kv, BigInt(kv.mod_revision), false)
  }

  #tell(kv: KeyValue, revision: bigint, isGone: boolean): void {
    const key = this.#nameOf(kv.key)
    if (revision <= (this.#known.get(key) ?? 0n)) return
    if (isGone) this.#known.delete(key)
    else this.#known.set(key, revision)
    this.#hear(key, isGone ? undefined : Buffer.from(kv.value ?? '', 'base64').toString())
  }

  #nameOf(key: string): string {
    return Buffer.from(key, 'base64').toString().slice(this.#prefix.length)
  }

  get #range(): { key: string; range_end: string } {
    // `0` comes right behind `/`, with which the prefix ends.
    return { key: base64(this.#prefix), range_end: base64(`${this.#prefix.slice(0, -1)}0`) }
  }

  /** Resolves after `ms`, at the end, and, where `isWoken`, when something is put. */
  #pause(ms: number, isWoken = false): Promise<void> {
    const { signal } = this.#end
    return new Promise(resolve => {
      if (signal.aborted || ms <= 0) return resolve()
      const done = () => {
        clearTimeout(timer)
        signal.removeEventListener('abort', done)
        if (isWoken) this.#wake = () => {}
        resolve()
      }
      const timer = setTimeout(done, ms)
      signal.addEventListener('abort', done)
      if (isWoken) this.#wake = done
    })
  }
}

function base64(value: string): string {
  return Buffer.from(value).toString('base64')
}
