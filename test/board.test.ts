import { randomUUID } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { EtcdGateway } from '../src/hub/journal/etcd/gateway.ts'
import { LeasedKeys } from '../src/hub/journal/etcd/leased-keys.ts'
import { SharedBoard } from '../src/hub/sharing/board.ts'
import { EtcdCluster, withoutEtcd } from './support/etcd.ts'
import { until } from './support/until.ts'

describe.skipIf(withoutEtcd)('a board in etcd', () => {
  let cluster: EtcdCluster
  beforeAll(async () => {
    cluster = await EtcdCluster.start(1)
  })
  afterAll(() => cluster[Symbol.asyncDispose]())

  /** Boards of hubs h0, h1, … of one new history. */
  function boards(size: number) {
    const prefix = `/claude-net/${randomUUID()}/board/`
    return Array.from({ length: size }, (_, index) => {
      const gateway = new EtcdGateway({ endpoints: cluster.endpoints })
      const board = new SharedBoard(`h${index}`, hear => new LeasedKeys(gateway, prefix, hear))
      onTestFinished(() => board.close())
      return { board, gateway, prefix, valueOf: (hub: string) => board.peers.get(hub)?.get('state') }
    })
  }

  test('shows what the others put, the newest of many within a second or two, and is empty after them', async () => {
    const [one, two] = boards(2) as [ReturnType<typeof boards>[0], ReturnType<typeof boards>[0]]
    const heard: (string | undefined)[] = []
    two.board.onChange((_hub, _topic, value) => heard.push(value))
    for (let value = 0; value < 100; value++) one.board.put('state', String(value))
    await until('the last is there', () => two.valueOf('h0') === '99')
    expect(heard.length).toBeLessThan(5)
    const [late] = boards(1) as [typeof one]
    expect(late.board.peers.size).toBe(0)
    await one.board.close()
    await until('all of it is gone', () => two.board.peers.size === 0)
    expect(heard.at(-1)).toBeUndefined()
  })

  test('puts everything again when its lease has gone, and reads everything again when etcd was away', async () => {
    const [one, two] = boards(2) as [ReturnType<typeof boards>[0], ReturnType<typeof boards>[0]]
    one.board.put('state', 'first')
    await until('it is there', () => two.valueOf('h0') === 'first')
    const leases = await one.gateway.ask<{ leases: { ID: string }[] }>('/v3/lease/leases', {})
    await Promise.all(leases.leases.map(({ ID }) => one.gateway.ask('/v3/lease/revoke', { ID })))
    await until('it is gone', () => two.valueOf('h0') === undefined)
    await until('it is there again', () => two.valueOf('h0') === 'first')
    await cluster.nodes[0]!.kill()
    one.board.put('state', 'second')
    cluster.nodes[0]!.start()
    await until('the news is there', () => two.valueOf('h0') === 'second')
  })
})
