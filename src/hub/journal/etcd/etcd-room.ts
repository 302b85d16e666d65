import { type EtcdAccess, EtcdGateway } from './gateway.ts'

/** Time a node may take to defragment, in ms: it rewrites its whole store, and answers nothing meanwhile. */
const defragmentMs = 120_000

/** A node is defragmented when it has more free bytes than this, and more than it uses. */
const leastFreeBytes = 64 * 1024 * 1024

interface Alarm {
  memberID?: string
  alarm?: string
}

/** The disk space of etcd. Its quota covers all keys and their earlier values, until those are compacted. */
export class EtcdRoom {
  readonly #access: EtcdAccess

  constructor(access: EtcdAccess) {
    this.#access = access
  }

  /**
   * Resolves to whether the quota is full: etcd then rejects writes until space is freed and the alarm is disarmed. Rejects with
   * `EtcdError`.
   */
  async isFull(): Promise<boolean> {
    return (await this.#with(this.#access.endpoints, gateway => alarmsOf(gateway))).length > 0
  }

  /**
   * Compacts earlier values of the keys, defragments each node where that is worth it, one node after the other, and disarms the alarm of a
   * full quota. Where etcd has users, defragmenting requires the role root. Rejects with `EtcdError`.
   */
  async make(): Promise<void> {
    const { endpoints } = this.#access
    const isFull = await this.#with(endpoints, async gateway => {
      const { header } = await gateway.ask<{ header: { revision: string } }>('/v3/maintenance/status', {})
      try {
        await gateway.ask('/v3/kv/compaction', { revision: header.revision, physical: true })
      } catch (error) {
        // Another hub has compacted it.
        if (!/has been compacted/.test((error as Error).message)) throw error
      }
      return (await alarmsOf(gateway)).length > 0
    })
    for (const endpoint of endpoints) {
      await this.#with([endpoint], async gateway => {
        const status = await gateway.ask<{ dbSize?: string; dbSizeInUse?: string }>('/v3/maintenance/status', {})
        const used = Number(status.dbSizeInUse ?? 0)
        const free = Number(status.dbSize ?? 0) - used
        if (isFull || free > Math.max(leastFreeBytes, used)) await gateway.ask('/v3/maintenance/defragment', {})
      })
    }
    if (!isFull) return
    await this.#with(endpoints, async gateway => {
      for (const alarm of await alarmsOf(gateway))
        await gateway.ask('/v3/maintenance/alarm', { action: 'DEACTIVATE', ...alarm })
    })
  }

  async #with<T>(endpoints: readonly string[], use: (gateway: EtcdGateway) => Promise<T>): Promise<T> {
    const gateway = new EtcdGateway({ ...this.#access, endpoints }, { answerMs: defragmentMs })
    try {
      return await use(gateway)
    } finally {
      gateway.close()
    }
  }
}

async function alarmsOf(gateway: EtcdGateway): Promise<Alarm[]> {
  const { alarms = [] } = await gateway.ask<{ alarms?: Alarm[] }>('/v3/maintenance/alarm', { action: 'GET' })
  return alarms.filter(({ alarm }) => alarm === 'NOSPACE')
}
