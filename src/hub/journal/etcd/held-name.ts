import { randomUUID } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import * as z from 'zod'
import { ClaudeNetError } from '../../../protocol/errors.ts'
import { isQuotaFull } from './explain-etcd-error.ts'
import type { EtcdGateway } from './gateway.ts'
import { base64, text } from './keys.ts'
import { grantLease, renewLease, renewMs, revokeLease } from './lease.ts'

/** Interval at which a name that is taken is checked again, and the longest wait for it, in ms: etcd ends leases late. */
const lookMs = 500
const waitMs = 20_000

/** Pause before a failed request is retried, in ms. */
const retryMs = 1000

const Holder = z.object({
  /** Identifies the process. */
  run: z.string(),
  /**
   * Identifies the directory and the boot of the host. A process that has the lock of the same directory may take over the name: the
   * previous process has ended.
   */
  place: z.string(),
  host: z.string(),
  dataDir: z.string(),
})
type Holder = z.output<typeof Holder>

interface Found {
  holder: Holder | undefined
  lease: string
  revision: string
}

interface RangeAnswer {
  kvs?: { value?: string; mod_revision: string; lease?: string }[]
}

export interface HeldNameOptions {
  /** Closed together with the name. */
  gateway: EtcdGateway
  /** Names of the history and of the hub in it. */
  name: string
  hub: string
  /** The data directory of the hub, whose lock it holds. */
  dataDir: string
  /** Called once when another hub has taken the name while this one could not renew it. */
  onLost: (error: ClaudeNetError) => void
}

/**
 * The name of a hub in its history, which one process holds at a time: a key in etcd under a lease that the process renews. The next
 * process on the same directory takes it over at once; on any other directory it waits until the lease has ended.
 */
export class HeldName {
  readonly #options: HeldNameOptions
  readonly #key: string
  readonly #own: Holder
  readonly #end = new AbortController()
  #lease: string | undefined
  #renewing: Promise<void> = Promise.resolve()

  private constructor(options: HeldNameOptions) {
    const { name, hub, dataDir } = options
    this.#options = options
    this.#key = base64(`/claude-net/${name}/hubs/${hub}`)
    this.#own = { run: randomUUID(), place: placeOf(dataDir), host: hostname(), dataDir }
  }

  /**
   * Takes the name. Throws `conflict` when another hub holds it and renews it, 15 s after the call at the latest, and `EtcdError`. While
   * the quota of etcd is full, a free name is taken later, since this hub is needed to free space.
   */
  static async take(options: HeldNameOptions): Promise<HeldName> {
    const held = new HeldName(options)
    try {
      await held.#take()
    } catch (error) {
      options.gateway.close()
      throw error
    }
    held.#renewing = held.#renew()
    return held
  }

  /** Releases the name, if etcd can be reached. */
  async close(): Promise<void> {
    this.#end.abort()
    await this.#renewing
    const { gateway } = this.#options
    if (this.#lease !== undefined) await revokeLease(gateway, this.#lease)
    gateway.close()
  }

  async #take(): Promise<void> {
    let before = Infinity
    for (const end = performance.now() + waitMs; ; await delay(lookMs)) {
      const found = await this.#find()
      if (!found || found.holder?.place === this.#own.place) {
        try {
          if (await this.#put(found?.revision ?? '0')) return
        } catch (error) {
          if (isQuotaFull(error)) return
          throw error
        }
        continue
      }
      const left = await this.#leftOf(found.lease)
      if (left > before || performance.now() > end) throw this.#isTaken(found.holder)
      before = left
    }
  }

  /** Renews the lease until `close`, and takes the name again when the lease has expired. */
  async #renew(): Promise<void> {
    const { signal } = this.#end
    let pauseMs = this.#lease === undefined ? retryMs : renewMs
    for (;;) {
      await delay(pauseMs, undefined, { signal, ref: false }).catch(() => {})
      if (signal.aborted) return
      pauseMs = retryMs
      try {
        if (this.#lease !== undefined && (await renewLease(this.#options.gateway, this.#lease, signal))) {
          pauseMs = renewMs
          continue
        }
        this.#lease = undefined
        const found = await this.#find(signal)
        if (found && found.holder?.place !== this.#own.place) return this.#options.onLost(this.#isTaken(found.holder))
        await this.#put(found?.revision ?? '0', signal)
      } catch {
        // etcd cannot be reached, or is full. Without it this hub stores nothing either.
      }
    }
  }

  async #find(signal?: AbortSignal): Promise<Found | undefined> {
    const { kvs } = await this.#options.gateway.ask<RangeAnswer>('/v3/kv/range', { key: this.#key }, signal)
    const [kv] = kvs ?? []
    if (!kv) return undefined
    return { holder: readHolder(kv.value), lease: kv.lease ?? '0', revision: kv.mod_revision }
  }

  /** Writes this hub's value if the key is unchanged since `revision`, `0` for no key. Returns whether it was. */
  async #put(revision: string, signal?: AbortSignal): Promise<boolean> {
    const { gateway } = this.#options
    const lease = await grantLease(gateway, signal)
    const value = base64(JSON.stringify(this.#own))
    const { succeeded } = await gateway.ask<{ succeeded?: boolean }>(
      '/v3/kv/txn',
      {
        compare: [{ key: this.#key, target: 'MOD', mod_revision: revision }],
        success: [{ request_put: { key: this.#key, value, lease } }],
      },
      signal,
    )
    if (succeeded) this.#lease = lease
    else await revokeLease(gateway, lease)
    return succeeded === true
  }

  /** Returns the remaining time of a lease, in s; less than 0 when it has ended. */
  async #leftOf(lease: string): Promise<number> {
    const { TTL } = await this.#options.gateway.ask<{ TTL?: string }>('/v3/lease/timetolive', { ID: lease })
    return Number(TTL ?? 0)
  }

  #isTaken(holder: Holder | undefined): ClaudeNetError {
    const { name, hub, dataDir } = this.#options
    const where = holder ? ` on ${holder.host}, with the store in ${holder.dataDir}` : ''
    return new ClaudeNetError(
      'conflict',
      `A hub called '${hub}' is running in the history '${name}' already${where}. Two hubs of one history cannot have one name.`,
      `Give this hub a name of its own: hubName in hub.json, or --hub-name. If ${dataDir} holds a copy of that hub's store, it needs an empty directory, too.`,
    )
  }
}

/** Identifies a directory on a host until that reboots: a copy of the directory, on another disk or host, is another place. */
function placeOf(dataDir: string): string {
  const { dev, ino } = statSync(dataDir, { bigint: true })
  let boot = hostname()
  try {
    boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    // Only Linux has this file.
  }
  return `${boot}:${dev}:${ino}`
}

function readHolder(value?: string): Holder | undefined {
  try {
    return Holder.safeParse(JSON.parse(text(value))).data
  } catch {
    return undefined
  }
}
