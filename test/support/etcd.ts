import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EtcdLog } from '../../src/hub/journal/etcd/etcd-log.ts'
import { EtcdGateway } from '../../src/hub/journal/etcd/gateway.ts'
import type { SharedLog } from './log-journal.ts'
import { until } from './until.ts'

/** Where `get-etcd.sh` puts etcd for the tests, unless `ETCD` names another. */
const program = process.env.ETCD ?? join(import.meta.dirname, '../../node_modules/.cache/claude-net-etcd/usr/bin/etcd')

/** Why no cluster can be started here, for tests that need one; undefined where it can. */
export const withoutEtcd = existsSync(program)
  ? undefined
  : 'there is no etcd: sh test/support/get-etcd.sh node_modules/.cache/claude-net-etcd'

/** One process of etcd, which keeps its data over its deaths. */
export class EtcdNode {
  readonly endpoint: string
  readonly #args: string[]
  readonly #log: string
  child!: ChildProcess

  constructor(endpoint: string, args: string[], log: string) {
    this.endpoint = endpoint
    this.#args = args
    this.#log = log
  }

  start(): void {
    const log = openSync(this.#log, 'a')
    this.child = spawn(program, this.#args, { stdio: ['ignore', log, log] })
  }

  async kill(): Promise<void> {
    const { child } = this
    if (child.exitCode !== null || child.signalCode !== null) return
    const ended = once(child, 'exit')
    child.kill('SIGKILL')
    await ended
  }

  async isHealthy(): Promise<boolean> {
    return (await fetch(`${this.endpoint}/health`).catch(() => undefined))?.ok === true
  }

  async isLeader(): Promise<boolean> {
    const answer = await fetch(`${this.endpoint}/v3/maintenance/status`, { method: 'POST', body: '{}' })
    const { leader, header } = (await answer.json()) as { leader?: string; header: { member_id: string } }
    return leader === header.member_id
  }
}

/** A cluster of etcd on loopback. */
export class EtcdCluster implements AsyncDisposable {
  readonly nodes: EtcdNode[]
  readonly #dir: string

  private constructor(nodes: EtcdNode[], dir: string) {
    this.nodes = nodes
    this.#dir = dir
  }

  /** Starts `size` nodes and waits until they answer. `more` are further arguments of each. */
  static async start(size: number, more: string[] = []): Promise<EtcdCluster> {
    const dir = mkdtempSync(join(tmpdir(), 'claude-net-etcd-'))
    const ports = await freePorts(2 * size)
    const [clients, peers] = [ports.slice(0, size), ports.slice(size)].map(half =>
      half.map(port => `http://127.0.0.1:${port}`),
    )
    const cluster = peers!.map((peer, index) => `n${index}=${peer}`).join(',')
    const nodes = clients!.map((client, index) => {
      const urls = ['--listen-client-urls', client, '--advertise-client-urls', client]
      const peerUrls = ['--listen-peer-urls', peers![index]!, '--initial-advertise-peer-urls', peers![index]!]
      const names = ['--name', `n${index}`, '--initial-cluster', cluster, '--data-dir', join(dir, `n${index}`)]
      return new EtcdNode(
        client,
        [...names, ...urls, ...peerUrls, '--log-level', 'warn', ...more],
        join(dir, `n${index}.log`),
      )
    })
    const started = new EtcdCluster(nodes, dir)
    for (const node of nodes) node.start()
    await started.healthy()
    return started
  }

  get endpoints(): string[] {
    return this.nodes.map(({ endpoint }) => endpoint)
  }

  async healthy(): Promise<void> {
    await until('etcd answers', async () =>
      (await Promise.all(this.nodes.map(node => node.isHealthy()))).every(Boolean),
    )
  }

  async leader(): Promise<EtcdNode> {
    for (const node of this.nodes) if (await node.isLeader().catch(() => false)) return node
    throw new Error('No node leads.')
  }

  gateway(): EtcdGateway {
    return new EtcdGateway({ endpoints: this.endpoints })
  }

  /** A new, empty log in this cluster. */
  async log(): Promise<EtcdHistory> {
    const history = new EtcdHistory(this, randomUUID())
    await (await EtcdLog.create(this.gateway(), history.name, history.name.slice(0, 8))).close()
    return history
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.nodes.map(node => node.kill()))
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

/** A log in a cluster, for as many hubs as connect. */
export class EtcdHistory implements SharedLog {
  readonly name: string
  readonly #cluster: EtcdCluster

  constructor(cluster: EtcdCluster, name: string) {
    this.#cluster = cluster
    this.name = name
  }

  connect(): Promise<EtcdLog> {
    return EtcdLog.open(this.#cluster.gateway(), this.name)
  }

  /** Forgets the records up to `upTo`, and has etcd give their room back and take writes again. */
  async makeRoom(upTo: number): Promise<void> {
    await using log = await this.connect()
    await log.trim(upTo)
    const gateway = this.#cluster.gateway()
    const { header } = await gateway.ask<{ header: { revision: string } }>('/v3/kv/range', { key: 'AA==' })
    await gateway.ask('/v3/kv/compaction', { revision: header.revision, physical: true })
    await gateway.ask('/v3/maintenance/defragment', {})
    const { alarms = [] } = await gateway.ask<{ alarms?: object[] }>('/v3/maintenance/alarm', { action: 'GET' })
    for (const alarm of alarms) await gateway.ask('/v3/maintenance/alarm', { action: 'DEACTIVATE', ...alarm })
    gateway.close()
  }

  async fork(): Promise<this> {
    await using log = await this.connect()
    const name = randomUUID()
    await using copy = await EtcdLog.create(this.#cluster.gateway(), name, log.epoch)
    const last = await log.last()
    const end = new AbortController()
    if (last === 0) return new EtcdHistory(this.#cluster, name) as this
    for await (const records of log.follow(0, end.signal)) {
      for (const { offset, bytes } of records) await copy.append(offset - 1, bytes)
      if (records.at(-1)!.offset >= last) end.abort()
    }
    return new EtcdHistory(this.#cluster, name) as this
  }
}

async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(
    Array.from({ length: count }, async () => {
      const server = createServer().listen(0, '127.0.0.1')
      await once(server, 'listening')
      return server
    }),
  )
  const ports = servers.map(server => (server.address() as { port: number }).port)
  await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  return ports
}
