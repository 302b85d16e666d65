import { randomUUID } from 'node:crypto'
import { readFileSync, statSync } from 'node:fs'
import { hostname } from 'node:os'
import { setTimeout as delay } from 'node:timers/promises'
import * as z from 'zod'
import { ClaudeNetError } from '../../../protocol/errors.ts'
import type { EtcdGateway } from './gateway.ts'
import { isQuotaFull } from './in-words.ts'

/** How long a name outlives its hub, in s, and how often its lease is renewed, in ms. */
const leaseS = 10
const renewMs = 3000

/** How often a name that is taken is looked at, and how long it is waited for at most, in ms: etcd ends leases late. */
const lookMs = 500
const waitMs = 20_000

/** Pause before what failed is tried again, in ms. */
const retryMs = 1000

const Holder = z.object({
  /** The process. */
  run: z.string(),
  /** The directory, and the boot of the host: whoever has the lock of the same directory knows that the one before has ended. */
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
  /** Closed with the name. */
  gateway: EtcdGateway
  /** What the history is called, and the hub in it. */
  name: string
  hub: string
  /** The data directory of the hub, of which it has the lock. */
  dataDir: string
  /** Called once when another hub has taken the name, while this one could not renew it. */
  onLost: (error: ClaudeNetError) => void
}

/**
 * The name of a hub among those of its history, which one process holds at a time: a key in etcd under a lease that it renews. The next
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
   * Takes the name. Throws `conflict` when another hub has it and renews it, 15 s after the call at the latest, and `EtcdError`. While the quota
   * of etcd is full a name that is free is taken later: this hub is needed to make room.
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

  /** Gives the name back, as far as etcd answers. */
  async close(): Promise<void> {
    this.#end.abort()
    await this.#renewing
    const { gateway } = this.#options
    if (this.#lease !== undefined) await gateway.ask('/v3/lease/revoke', { ID: this.#lease }).catch(() => {})
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

  /** Renews the lease until the end, and takes the name again where it has run out. */
  async #renew(): Promise<void> {
    const { signal } = this.#end
    let pauseMs = this.#lease === undefined ? retryMs : renewMs
    for (;;) {
      await delay(pauseMs, undefined, { signal, ref: false }).catch(() => {})
      if (signal.aborted) return
      pauseMs = retryMs
      try {
        if (await this.#isRenewed(signal)) {
          pauseMs = renewMs
          continue
        }
        this.#lease = undefined
        const found = await this.#find(signal)
        if (found && found.holder?.place !== this.#own.place) return this.#options.onLost(this.#isTaken(found.holder))
        await this.#put(found?.revision ?? '0', signal)
      } catch {
        // etcd does not answer, or has no room. Without it nothing is stored here either.
      }
    }
  }

  async #isRenewed(signal: AbortSignal): Promise<boolean> {
    if (this.#lease === undefined) return false
    const body = { ID: this.#lease }
    const { result } = await this.#options.gateway.ask<{ result?: { TTL?: string } }>(
      '/v3/lease/keepalive',
      body,
      signal,
    )
    return Number(result?.TTL ?? 0) > 0
  }

  async #find(signal?: AbortSignal): Promise<Found | undefined> {
    const { kvs } = await this.#options.gateway.ask<RangeAnswer>('/v3/kv/range', { key: this.#key }, signal)
    const [kv] = kvs ?? []
    if (!kv) return undefined
    return { holder: readHolder(kv.value), lease: kv.lease ?? '0', revision: kv.mod_revision }
  }

  /** Puts this hub's own value where the key is as it was at `revision`, `0` for none. Returns whether it was. */
  async #put(revision: string, signal?: AbortSignal): Promise<boolean> {
    const { gateway } = this.#options
    const { ID: lease } = await gateway.ask<{ ID: string }>('/v3/lease/grant', { TTL: String(leaseS) }, signal)
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
    else await gateway.ask('/v3/lease/revoke', { ID: lease }).catch(() => {})
    return succeeded === true
  }

  /** How long a lease lasts if nobody renews it, in s; less than 0 when it has ended. */
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
      `Give this hub a name of its own: hubName in hub.json, or --hub-name. Where ${dataDir} has a copy of that hub's store, it needs an empty directory, too.`,
    )
  }
}

/** Which directory of which host, until that is started anew: a copy of a directory, on another disk or host, is another place. */
function placeOf(dataDir: string): string {
  const { dev, ino } = statSync(dataDir, { bigint: true })
  let boot = hostname()
  try {
    boot = readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim()
  } catch {
    // Only Linux has it.
  }
  return `${boot}:${dev}:${ino}`
}

function readHolder(value = ''): Holder | undefined {
  try {
    return Holder.safeParse(JSON.parse(Buffer.from(value, 'base64').toString())).data
  } catch {
    return undefined
  }
}

function base64(value: string): string {
  return Buffer.from(value).toString('base64')
}
