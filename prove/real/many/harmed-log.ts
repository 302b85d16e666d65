import { cpSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { EtcdLog } from '../../../src/hub/journal/etcd/etcd-log.ts'
import { check } from '../../checker/check.ts'
import { pick } from '../../sim/random.ts'
import { dumpStore } from '../cluster.ts'
import type { Broken, Fault, Round, RoundResult } from '../fault.ts'
import type { HubProcess } from '../hub-process.ts'
import { Load } from '../load.ts'
import { ended, startLoad, storm } from '../storm.ts'
import { ManyHubs } from './many-hubs.ts'

/** Time in which hubs must notice that their log was replaced, in ms: they check it at least every 2 s. */
const noticeMs = 20_000

/** Waits until each of `hubs` has ended by itself. Returns those still running. */
async function stillRunning(hubs: readonly HubProcess[]): Promise<HubProcess[]> {
  for (const began = performance.now(); performance.now() - began < noticeMs; await delay(50))
    if (hubs.every(hub => !hub.isRunning)) return []
  return hubs.filter(hub => hub.isRunning)
}

/**
 * Checks the stores of hubs that have stopped permanently: every acknowledged send must be in the store of the hub that is furthest ahead.
 */
async function judgeStores(round: Round, load: Load, cluster: ManyHubs, found: Broken[]): Promise<RoundResult> {
  await load.close()
  await cluster.close()
  const none = new Map(load.credentials.map(({ name }) => [name, { unread: [], count: 0 }]))
  const dumps = cluster.hubs.map(({ dataDir }) => dumpStore(dataDir, none))
  const rowsOf = (dump: (typeof dumps)[0]) => dump.reduce((sum, { rows }) => sum + rows.length, 0)
  const [furthest] = dumps.sort((a, b) => rowsOf(b) - rowsOf(a))
  // No hub serves reads any more, so the unread messages are taken from the store.
  const inboxes = furthest!.map(dump => {
    const unread = dump.rows.filter(({ acked }) => !acked).map(({ id }) => id)
    return { ...dump, unread, count: unread.length }
  })
  const violations = [...found, ...check(load.history.lines, inboxes, cluster.checks)]
  if (violations.length > 0) cluster.keepStores(round.dir)
  return { acknowledged: load.acknowledged, violations }
}

export const logMadeAnew: Fault = {
  name: 'log-made-anew',
  title: 'the log is deleted while hubs use it, and at times recreated under the same name: every hub must stop',
  needs: ['etcd'],
  async run(round) {
    const cluster = await ManyHubs.start(round)
    const load = await startLoad(round, new Load({ cluster, seed: round.seed }), 30)
    const gateway = cluster.etcd.gateway()
    round.defer(() => gateway.close())
    const [from, to] = [`/claude-net/${cluster.history.name}/`, `/claude-net/${cluster.history.name}0`].map(key =>
      Buffer.from(key).toString('base64'),
    )
    round.strike()
    await gateway.ask('/v3/kv/deleterange', { key: from, range_end: to })
    if (round.random() < 0.5) {
      const epoch = round.random() < 0.5 ? cluster.history.name.slice(0, 8) : 'another'
      await EtcdLog.create(gateway, cluster.history.name, epoch)
    }
    const found: Broken[] = (await stillRunning(cluster.hubs)).map(hub => ({
      kind: 'broken',
      text: `a hub still uses a log that was deleted: ${hub.dataDir}`,
    }))
    return await judgeStores(round, load, cluster, found)
  },
}

export const restoredNode: Fault = {
  name: 'restored-node',
  title: 'one node of the log returns with old data, then the leader is killed',
  needs: ['etcd'],
  async run(round) {
    const cluster = await ManyHubs.start(round)
    const load = await startLoad(round, new Load({ cluster, seed: round.seed }), 30)
    const leader = await cluster.leader()
    const node = pick(
      round.random,
      cluster.etcd.nodes.filter(each => each !== leader),
    )
    const backup = join(round.dir, 'of-before')
    await node.kill()
    cpSync(node.dataDir, backup, { recursive: true })
    node.start()
    await cluster.etcd.healthy()
    await load.answered(50)
    await node.kill()
    rmSync(node.dataDir, { recursive: true })
    cpSync(backup, node.dataDir, { recursive: true })
    round.strike()
    await leader.kill()
    node.start()
    await delay(5000)
    leader.start()
    await delay(5000)
    // Either the log is intact, or the hubs have noticed that it is not.
    const running = cluster.hubs.filter(hub => hub.isRunning)
    const isWhole =
      running.length === cluster.hubs.length &&
      (await load.answered(5, noticeMs).then(
        () => true,
        () => false,
      ))
    if (!isWhole) return await judgeStores(round, load, cluster, [])
    return await ended(round, load, cluster)
  },
}

export const fullQuota: Fault = {
  name: 'full-log',
  title: "the log's quota is full: nothing is stored until there is room again",
  needs: ['etcd'],
  async run(round) {
    const quota = ['--quota-backend-bytes', String(4 * 1024 * 1024)]
    const cluster = await ManyHubs.start(round, { etcd: { more: quota } })
    return await storm(
      round,
      cluster,
      async load => {
        for (let isFull = false; !isFull; ) {
          await delay(200)
          isFull = (await alarms(cluster)) > 0
        }
        round.strike()
        const before = load.acknowledged
        await delay(1500)
        round.say(`full-log: ${load.acknowledged - before} sends were acknowledged while the log was full`)
        await cluster.makeRoom()
        await load.answered(10)
      },
      { textLength: 200_000, paceMs: 20 },
    )
  },
}

async function alarms(cluster: ManyHubs): Promise<number> {
  const gateway = cluster.etcd.gateway()
  try {
    const { alarms = [] } = await gateway.ask<{ alarms?: object[] }>('/v3/maintenance/alarm', { action: 'GET' })
    return alarms.length
  } finally {
    gateway.close()
  }
}

export const divergence: Fault = {
  name: 'planted-divergence',
  title: 'the store of one hub is changed by hand: that hub must stop, the others continue',
  needs: ['etcd'],
  async run(round) {
    const cluster = await ManyHubs.start(round)
    const wrong = pick(round.random, cluster.hubs)
    return await storm(round, cluster, async load => {
      await load.answered(20)
      await wrong.stop()
      using db = new DatabaseSync(join(wrong.dataDir, 'hub.db'))
      db.exec("update position set outcomes = 'ZZZZ' || substr(outcomes, 5)")
      db.close()
      round.strike()
      await wrong.start().catch(() => {})
      const left = await stillRunning([wrong])
      if (left.length > 0) throw new Error('The hub whose store was changed still runs.')
      await load.answered(20)
      // The operator's remedy: without its store, the hub starts from the log or from another hub's snapshot.
      for (const name of ['hub.db', 'hub.db-wal', 'hub.db-shm']) rmSync(join(wrong.dataDir, name), { force: true })
      await wrong.start()
    })
  },
}
