import { cpSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { EtcdCluster, type EtcdHistory, type EtcdNode, type EtcdOptions } from '../../../test/support/etcd.ts'
import type { CheckOptions, InboxDump } from '../../checker/check.ts'
import { type Cluster, type Credential, dumpStore, joinAt, readAll } from '../cluster.ts'
import type { Round } from '../fault.ts'
import { type HubOptions, HubProcess } from '../hub-process.ts'

/** Time in which the hubs must reach the end of their log once the faults have ended, in ms. */
const levelLimitMs = 60_000

export interface ManyHubsOptions {
  etcd?: EtcdOptions
  /** Options of each hub, besides its log and its name. */
  hub?: (index: number) => Partial<HubOptions>
  /** Returns other endpoints of etcd for the hubs, such as proxies in front of the nodes. */
  endpoints?: (cluster: EtcdCluster) => string[] | Promise<string[]>
}

/** Three hubs, each with its own store, over one log in three nodes of etcd. */
export class ManyHubs implements Cluster {
  readonly checks: CheckOptions = { mayLag: true }
  readonly hubs: HubProcess[]
  readonly etcd: EtcdCluster
  readonly history: EtcdHistory

  private constructor(hubs: HubProcess[], etcd: EtcdCluster, history: EtcdHistory) {
    this.hubs = hubs
    this.etcd = etcd
    this.history = history
  }

  /** Starts three nodes and three hubs. They end with the round. */
  static async start(round: Round, { etcd: etcdOptions, hub, endpoints }: ManyHubsOptions = {}): Promise<ManyHubs> {
    const etcd = await EtcdCluster.start(3, etcdOptions)
    round.defer(() => etcd[Symbol.asyncDispose]())
    const history = await etcd.log()
    const journal = { endpoints: (await endpoints?.(etcd)) ?? etcd.endpoints, name: history.name }
    const hubs = [0, 1, 2].map(index => {
      const { config, ...options } = hub?.(index) ?? {}
      return new HubProcess({
        dataDir: join(round.dir, `h${index}`),
        config: { journal, hubName: `h${index}`, allowPlainEtcd: true, ...config },
        ...options,
      })
    })
    const cluster = new ManyHubs(hubs, etcd, history)
    round.defer(() => cluster.close())
    await cluster.start()
    return cluster
  }

  get urls(): readonly URL[] {
    return this.hubs.map(({ url }) => url)
  }

  get adminToken(): string {
    return this.hubs[0]!.adminToken
  }

  async start(): Promise<void> {
    await Promise.all(this.hubs.map(hub => hub.start()))
  }

  async heal(): Promise<void> {
    for (const node of this.etcd.nodes) {
      node.signal('SIGCONT')
      if (!node.isRunning) node.start()
    }
    await this.etcd.healthy()
    await Promise.all(
      this.hubs.map(async hub => {
        hub.resume()
        if (!hub.isRunning) await hub.start()
      }),
    )
    await this.#level()
  }

  async join(name: string): Promise<Credential> {
    const credential = await joinAt(this.urls[0]!, this.adminToken, name)
    await this.#level()
    return credential
  }

  /** Reads the inboxes from all hubs, which must agree. */
  async dump(members: readonly Credential[]): Promise<InboxDump[]> {
    await this.#level()
    const reads = await Promise.all(
      this.hubs.map(async hub => {
        const read = new Map<string, { unread: string[]; count: number }>()
        for (const member of members) read.set(member.name, await readAll(hub.url, member))
        return read
      }),
    )
    await Promise.all(this.hubs.map(hub => hub.stop()))
    const dumps = this.hubs.map((hub, index) => dumpStore(hub.dataDir, reads[index]!))
    const [first, ...others] = dumps.map(dump => JSON.stringify(dump))
    if (others.some(other => other !== first)) throw new Error('The stores of the hubs differ.')
    return dumps[0]!
  }

  keepStores(dir: string): void {
    for (const hub of this.hubs) {
      if (existsSync(hub.dataDir))
        cpSync(hub.dataDir, join(dir, `store-of-${hub.dataDir.slice(-2)}`), { recursive: true })
    }
    cpSync(this.etcd.dir, join(dir, 'etcd'), { recursive: true })
  }

  async close(): Promise<void> {
    await Promise.all(this.hubs.map(hub => hub.kill()))
  }

  /** Deletes the records that every hub has applied, on each node, so that the log accepts records again. */
  async makeRoom(): Promise<void> {
    const last = Math.min(...this.hubs.map(offsetOf))
    for (const endpoint of this.etcd.endpoints) await this.history.makeRoom(last, endpoint)
  }

  leader(): Promise<EtcdNode> {
    return this.etcd.leader()
  }

  /** Resolves once every hub has applied everything in the log at the time of the call. */
  async #level(): Promise<void> {
    const log = await this.history.connect()
    const last = await log.last()
    await log.close()
    for (const began = performance.now(); ; await delay(20)) {
      const offsets = this.hubs.map(offsetOf)
      if (offsets.every(offset => offset >= last)) return
      if (performance.now() - began > levelLimitMs)
        throw new Error(`The log ends at ${last}, and after ${levelLimitMs} ms the hubs are at ${offsets.join(', ')}`)
    }
  }
}

/** Returns the offset that a hub has applied, from its store. */
function offsetOf({ dataDir }: HubProcess): number {
  using db = new DatabaseSync(join(dataDir, 'hub.db'), { readOnly: true })
  return Number(db.prepare('select log_offset from position').get()!.log_offset)
}
