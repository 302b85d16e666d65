import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { EtcdGateway } from '../src/hub/journal/etcd/gateway.ts'
import { HeldName } from '../src/hub/journal/etcd/held-name.ts'
import { LeasedKeys } from '../src/hub/journal/etcd/leased-keys.ts'
import { SharedBoard } from '../src/hub/sharing/board.ts'
import { EtcdCluster } from './support/etcd.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'
import { describeWithEtcd } from './support/with-etcd.ts'

describeWithEtcd('values that hubs share in etcd', () => {
  let cluster: EtcdCluster
  beforeAll(async () => {
    cluster = await EtcdCluster.start(1)
  })
  afterAll(() => cluster[Symbol.asyncDispose]())

  /** Opens boards of hubs h0, h1, … of one new history. */
  function boards(size: number) {
    const prefix = `/claude-net/${randomUUID()}/board/`
    return Array.from({ length: size }, (_, index) => {
      const gateway = new EtcdGateway({ endpoints: cluster.endpoints })
      const board = new SharedBoard(`h${index}`, hear => new LeasedKeys(gateway, prefix, hear))
      onTestFinished(() => board.close())
      return { board, gateway, prefix, valueOf: (hub: string) => board.peers.get(hub)?.get('state') }
    })
  }

  test('arrive at the others, the newest of many within a second or two, and disappear after their hub', async () => {
    const [one, two] = boards(2) as [ReturnType<typeof boards>[0], ReturnType<typeof boards>[0]]
    const heard: (string | undefined)[] = []
    two.board.onChange((_hub, _topic, value) => heard.push(value))
    for (let value = 0; value < 100; value++) one.board.put('state', String(value))
    await until('the last value', () => two.valueOf('h0') === '99')
    expect(heard.length).toBeLessThan(5)
    const [late] = boards(1) as [typeof one]
    expect(late.board.peers.size).toBe(0)
    await one.board.close()
    await until('no peers', () => two.board.peers.size === 0)
    expect(heard.at(-1)).toBeUndefined()
  })

  test('are put again when the lease has expired, and read again when etcd was unavailable', async () => {
    const [one, two] = boards(2) as [ReturnType<typeof boards>[0], ReturnType<typeof boards>[0]]
    one.board.put('state', 'first')
    await until('the value', () => two.valueOf('h0') === 'first')
    const leases = await one.gateway.ask<{ leases: { ID: string }[] }>('/v3/lease/leases', {})
    await Promise.all(leases.leases.map(({ ID }) => one.gateway.ask('/v3/lease/revoke', { ID })))
    await until('the value to be removed', () => two.valueOf('h0') === undefined)
    await until('the value again', () => two.valueOf('h0') === 'first')
    await cluster.nodes[0]!.kill()
    one.board.put('state', 'second')
    cluster.nodes[0]!.start()
    await until('the new value', () => two.valueOf('h0') === 'second')
  })
  /** Takes the name h0 of a history, as a hub on `dataDir` does. */
  async function take(name: string, dataDir: string, onLost: (error: Error) => void = () => {}) {
    const gateway = new EtcdGateway({ endpoints: cluster.endpoints })
    const held = await HeldName.take({ gateway, name, hub: 'h0', dataDir, onLost })
    onTestFinished(() => held.close())
    return held
  }

  test("a name is held by one hub: another one is told the holder's host, and a restart on the same directory gets it at once", async () => {
    const [name, one, copy] = [randomUUID(), tempDir('one'), tempDir('copy')]
    const killed = await take(name, one)
    await expect(take(name, copy)).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringMatching(/^A hub called 'h0' is running in the history .* with the store in .*one/),
      hint: expect.stringMatching(/^Give this hub a name of its own: hubName in hub.json/),
    })
    // The previous process has not released the name.
    const again = await take(name, one)
    await killed.close()
    await expect(take(name, copy)).rejects.toThrow("A hub called 'h0' is running")
    await again.close()
    await take(name, copy)
  })

  test('of hubs that start at once under one name one gets it; a moved store gets it when the lease has expired', async () => {
    const name = randomUUID()
    const dirs = ['one', 'two', 'three'].map(each => tempDir(each))
    const tries = await Promise.allSettled(dirs.map(dir => take(name, dir)))
    expect(tries.map(({ status }) => status).sort()).toEqual(['fulfilled', 'rejected', 'rejected'])
    const gateway = new EtcdGateway({ endpoints: cluster.endpoints })
    onTestFinished(() => gateway.close())
    const moved = randomUUID()
    const { ID: lease } = await gateway.ask<{ ID: string }>('/v3/lease/grant', { TTL: '3' })
    const value = { run: 'killed', place: 'another host', host: 'host-1', dataDir: '/var/lib/claude-net' }
    await gateway.ask('/v3/kv/put', { ...held(moved, value), lease })
    await take(moved, dirs[0]!)
  })

  test('a hub whose name was taken while it could not renew the lease is notified once', async () => {
    const name = randomUUID()
    const lost = Promise.withResolvers<Error>()
    await take(name, tempDir('one'), lost.resolve)
    const gateway = new EtcdGateway({ endpoints: cluster.endpoints })
    onTestFinished(() => gateway.close())
    const { kvs } = await gateway.ask<{ kvs: { lease: string }[] }>('/v3/kv/range', held(name, {}))
    await gateway.ask('/v3/lease/revoke', { ID: kvs[0]!.lease })
    await take(name, tempDir('two'))
    expect((await lost.promise).message).toMatch(/^A hub called 'h0' is running .*two/)
  })
})

/** Returns the key that holds the name of h0 in a history, with a value. */
function held(name: string, value: object): { key: string; value: string } {
  const base64 = (text: string) => Buffer.from(text).toString('base64')
  return { key: base64(`/claude-net/${name}/hubs/h0`), value: base64(JSON.stringify(value)) }
}
