import { type ChildProcess, spawn } from 'node:child_process'
import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { closeSync, existsSync, mkdtempSync, openSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { EtcdLog } from '../../src/hub/journal/etcd/etcd-log.ts'
import { EtcdGateway } from '../../src/hub/journal/etcd/gateway.ts'
import type { TlsFiles } from './etcd-certificates.ts'
import type { SharedLog } from './log-journal.ts'
import { until } from './until.ts'

/** Directory into which `get-etcd.sh` puts etcd for the tests, unless `ETCD` names another. */
const program = process.env.ETCD ?? join(import.meta.dirname, '../../node_modules/.cache/claude-net-etcd/usr/bin/etcd')

/** Reason why no cluster can be started here, for tests that need one; undefined if one can. */
export const withoutEtcd = existsSync(program)
  ? undefined
  : 'there is no etcd: sh test/support/get-etcd.sh node_modules/.cache/claude-net-etcd'

/** One process of etcd, which keeps its data when it is killed and restarted. */
export class EtcdNode {
  readonly endpoint: string
  readonly dataDir: string
  readonly #command: readonly string[]
  readonly #log: string
  /** URL of its health check, without TLS. */
  readonly #health: string
  child!: ChildProcess

  constructor({
    endpoint,
    health = endpoint,
    dataDir,
    command,
    log,
  }: { endpoint: string; health?: string; dataDir: string; command: string[]; log: string }) {
    this.endpoint = endpoint
    this.#health = health
    this.dataDir = dataDir
    this.#command = command
    this.#log = log
  }

  get isRunning(): boolean {
    return this.child !== undefined && this.child.exitCode === null && this.child.signalCode === null
  }

  start(): void {
    const log = openSync(this.#log, 'a')
    const [command, ...args] = this.#command
    // A process group of its own lets `signal` reach the wrapper too.
    this.child = spawn(command!, args, { stdio: ['ignore', log, log], detached: true })
    closeSync(log)
  }

  async kill(): Promise<void> {
    if (!this.isRunning) return
    const ended = once(this.child, 'exit')
    this.signal('SIGKILL')
    await ended
  }

  /** Sends a signal to the node and its wrapper. */
  signal(signal: NodeJS.Signals): void {
    if (this.isRunning) process.kill(-this.child.pid!, signal)
  }

  async isHealthy(): Promise<boolean> {
    const signal = AbortSignal.timeout(2000)
    return (await fetch(`${this.#health}/health`, { signal }).catch(() => undefined))?.ok === true
  }

  async isLeader(): Promise<boolean> {
    const signal = AbortSignal.timeout(2000)
    const answer = await fetch(`${this.endpoint}/v3/maintenance/status`, { method: 'POST', body: '{}', signal })
    const { leader, header } = (await answer.json()) as { leader?: string; header: { member_id: string } }
    return leader === header.member_id
  }
}

export interface EtcdOptions {
  /** Further arguments of each node. */
  more?: string[]
  /** Command prefix of each node, such as `['ip', 'netns', 'exec', …]`. */
  wrapper?: (node: number) => string[]
  /** The address of each node; loopback otherwise. */
  host?: (node: number) => string
  /** Certificates of the nodes; clients need one of the same authority. */
  tls?: TlsFiles
}

/** A cluster of etcd, on loopback unless `host` returns other addresses. */
export class EtcdCluster implements AsyncDisposable {
  readonly nodes: EtcdNode[]
  readonly #dir: string
  /** The nodes lead their own process groups, so an interrupt of this process does not end them. */
  readonly #onExit = () => {
    for (const node of this.nodes) node.signal('SIGKILL')
  }

  private constructor(nodes: EtcdNode[], dir: string) {
    this.nodes = nodes
    this.#dir = dir
    process.once('exit', this.#onExit)
  }

  /** Starts `size` nodes and waits until they respond. */
  static async start(
    size: number,
    { more = [], wrapper = () => [], host = () => '127.0.0.1', tls }: EtcdOptions = {},
  ): Promise<EtcdCluster> {
    const dir = mkdtempSync(join(tmpdir(), 'claude-net-etcd-'))
    const ports = await freePorts(3 * size)
    const urlOf = (index: number) => `http://${host(index % size)}:${ports[index]}`
    const peers = Array.from({ length: size }, (_, index) => `n${index}=${urlOf(size + index)}`).join(',')
    const nodes = Array.from({ length: size }, (_, index) => {
      const [plain, peer, dataDir] = [urlOf(index), urlOf(size + index), join(dir, `n${index}`)]
      const client = tls ? plain.replace('http:', 'https:') : plain
      const health = tls ? urlOf(2 * size + index) : client
      const urls = ['--listen-client-urls', client, '--advertise-client-urls', client]
      const peerUrls = ['--listen-peer-urls', peer, '--initial-advertise-peer-urls', peer]
      const names = ['--name', `n${index}`, '--initial-cluster', peers, '--data-dir', dataDir]
      const proof = tls ? ['--cert-file', tls.cert, '--key-file', tls.key, '--trusted-ca-file', tls.ca] : []
      const tlsArgs = tls ? [...proof, '--client-cert-auth', '--listen-metrics-urls', health] : []
      const args = [...names, ...urls, ...peerUrls, ...tlsArgs, '--log-level', 'warn', ...more]
      const command = [...wrapper(index), program, ...args]
      return new EtcdNode({ endpoint: client, health, dataDir, command, log: join(dir, `n${index}.log`) })
    })
    const started = new EtcdCluster(nodes, dir)
    for (const node of nodes) node.start()
    await started.healthy()
    return started
  }

  /** Directory with the data and the logs of the nodes. */
  get dir(): string {
    return this.#dir
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

  /** Returns a new, empty log in this cluster. */
  async log(name: string = randomUUID()): Promise<EtcdHistory> {
    const history = new EtcdHistory(this, name)
    await (await EtcdLog.create(this.gateway(), history.name, history.name.slice(0, 8))).close()
    return history
  }

  async [Symbol.asyncDispose](): Promise<void> {
    process.off('exit', this.#onExit)
    await Promise.all(this.nodes.map(node => node.kill()))
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

/** A log in a cluster, to which any number of hubs connect. */
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

  /** Trims the records up to `upTo`, frees their space on the node at `endpoint` (or any node), and makes it accept writes again. */
  async makeRoom(upTo: number, endpoint?: string): Promise<void> {
    await using log = await this.connect()
    await log.trim(upTo)
    const gateway = endpoint === undefined ? this.#cluster.gateway() : new EtcdGateway({ endpoints: [endpoint] })
    const { header } = await gateway.ask<{ header: { revision: string } }>('/v3/kv/range', { key: 'AA==' })
    // Another node may have compacted this revision already: that happens once per cluster.
    await gateway.ask('/v3/kv/compaction', { revision: header.revision, physical: true }).catch(() => {})
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
