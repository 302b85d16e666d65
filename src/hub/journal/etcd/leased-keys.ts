import type { EtcdGateway } from './gateway.ts'
import { base64, keysUnder, text } from './keys.ts'
import { grantLease, leaseS, renewLease, renewMs, revokeLease } from './lease.ts'

/** Shortest time between two writes of changed keys, in ms. */
const writeMs = 1000

/** Most bytes in one write request: etcd accepts 1.5 MB. */
const maxWriteBytes = 1_000_000

/** Interval at which the keys are compared with what the watch has delivered, in ms: watches have lost events. */
const compareMs = 10_000

/** A watch without any message for this long, in ms, is opened anew; etcd sends a progress notification about every 10 minutes. */
const silentMs = 900_000

/** Pause before a failed request is retried, in ms. */
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
 * Keys under one prefix in etcd, for values that hold only while their writer runs. Keys that this client puts are bound to a lease that it
 * renews, so they are deleted 10 s after the client ends; each key is written at most once a second. All keys under the prefix are watched.
 */
export class LeasedKeys {
  readonly #gateway: EtcdGateway
  readonly #prefix: string
  readonly #onChange: (key: string, value: string | undefined) => void
  readonly #end = new AbortController()
  readonly #own = new Map<string, string>()
  #unwritten = new Set<string>()
  #lease: { id: string; renewedAt: number } | undefined
  #wake: () => void = () => {}
  /** Newest revision of each key that was passed to `onChange`. */
  readonly #known = new Map<string, bigint>()
  /** Events of the watch up to this revision were read already. */
  #readAt = 0n
  readonly #running: Promise<unknown>

  /**
   * Takes over the gateway and closes it. `onChange` is called with each key (without the prefix) that is new, changed, or (undefined)
   * deleted.
   */
  constructor(gateway: EtcdGateway, prefix: string, onChange: (key: string, value: string | undefined) => void) {
    this.#gateway = gateway
    this.#prefix = prefix
    this.#onChange = onChange
    this.#running = Promise.all([this.#write(), this.#watch(), this.#compare()])
  }

  put(key: string, value: string): void {
    if (this.#own.get(key) === value) return
    this.#own.set(key, value)
    this.#unwritten.add(key)
    this.#wake()
  }

  /** Deletes the keys that were put, if etcd can be reached. */
  async close(): Promise<void> {
    this.#end.abort()
    this.#wake()
    await this.#running
    if (this.#lease) await revokeLease(this.#gateway, this.#lease.id)
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
        // A lease that may have expired in etcd is replaced by a new one.
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
      if (await renewLease(this.#gateway, this.#lease.id, signal)) {
        this.#lease.renewedAt = now
        return
      }
    }
    this.#lease = undefined
    const id = await grantLease(this.#gateway, signal)
    this.#lease = { id, renewedAt: now }
    this.#unwritten = new Set(this.#own.keys())
  }

  /** Writes as many of the changed keys as fit into one request. */
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
      // The next renewal finds whether the lease still exists.
      if (this.#lease) this.#lease.renewedAt = Math.min(this.#lease.renewedAt, performance.now() - renewMs)
      throw error
    }
  }

  async #watch(): Promise<void> {
    const { signal } = this.#end
    const body = { create_request: { ...keysUnder(this.#prefix), progress_notify: true } }
    while (!signal.aborted) {
      try {
        for await (const message of this.#gateway.stream<WatchMessage>('/v3/watch', body, { silentMs, signal })) {
          if (message.canceled) break
          // Keys that were written before the watch began have to be read.
          if (message.created) await this.#read()
          for (const { type, kv } of message.events ?? []) {
            const revision = BigInt(kv.mod_revision)
            if (revision > this.#readAt) this.#apply(kv, revision, type === 'DELETE')
          }
        }
      } catch {
        // The watch is opened anew.
      }
      await this.#pause(retryMs)
    }
  }

  /** Compares the keys with the known ones, and reads all values where they differ. */
  async #compare(): Promise<void> {
    const { signal } = this.#end
    for (;;) {
      await this.#pause(compareMs)
      if (signal.aborted) return
      try {
        const range = { ...keysUnder(this.#prefix), keys_only: true }
        const { kvs = [] } = await this.#gateway.ask<RangeAnswer>('/v3/kv/range', range, signal)
        const isSame = ({ key, mod_revision }: KeyValue) => this.#known.get(this.#nameOf(key)) === BigInt(mod_revision)
        if (kvs.length !== this.#known.size || !kvs.every(isSame)) await this.#read()
      } catch {
        // The next comparison tries again.
      }
    }
  }

  async #read(): Promise<void> {
    const { header, kvs = [] } = await this.#gateway.ask<RangeAnswer>(
      '/v3/kv/range',
      keysUnder(this.#prefix),
      this.#end.signal,
    )
    const revision = BigInt(header.revision)
    // A newer answer has arrived before this one.
    if (revision < this.#readAt) return
    this.#readAt = revision
    const there = new Set(kvs.map(({ key }) => this.#nameOf(key)))
    for (const [key, known] of this.#known) {
      if (there.has(key) || known > revision) continue
      this.#known.delete(key)
      this.#onChange(key, undefined)
    }
    for (const kv of kvs) this.#apply(kv, BigInt(kv.mod_revision), false)
  }

  #apply(kv: KeyValue, revision: bigint, isGone: boolean): void {
    const key = this.#nameOf(kv.key)
    if (revision <= (this.#known.get(key) ?? 0n)) return
    if (isGone) this.#known.delete(key)
    else this.#known.set(key, revision)
    this.#onChange(key, isGone ? undefined : text(kv.value))
  }

  #nameOf(key: string): string {
    return text(key).slice(this.#prefix.length)
  }

  /** Resolves after `ms`, on `close`, and, where `isWoken`, when a key is put. */
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
