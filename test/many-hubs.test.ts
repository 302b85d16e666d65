import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { EtcdCluster, withoutEtcd } from './support/etcd.ts'
import { ManyHubs } from './support/many-hubs.ts'

describe.skipIf(withoutEtcd)('three hubs over one log', () => {
  let cluster: EtcdCluster
  beforeAll(async () => {
    cluster = await EtcdCluster.start(3)
  })
  afterAll(() => cluster[Symbol.asyncDispose]())

  test('what one hub has acknowledged is read at each of them, and goes on when one is killed', async () => {
    const { hubs } = await ManyHubs.start(cluster)
    const [one, two, three] = hubs as [(typeof hubs)[0], (typeof hubs)[0], (typeof hubs)[0]]
    const ana = await one.join('ana')
    const ben = await one.join('ben')
    const send = (at: typeof one, body: string) =>
      at.client(ana.token).call(api.sendMessage, { body: { id: newMessageId(), to: ['ben'], body } })
    await send(one, 'by the first')
    await expect
      .poll(() =>
        two
          .client(ben.token)
          .call(api.readInbox)
          .catch(() => undefined),
      )
      .toBeDefined()
    await send(two, 'by the second')
    await one.stop('SIGKILL')
    await send(three, 'by the third')
    const { messages } = await three.client(ben.token).call(api.readInbox)
    expect(messages.map(({ body }) => body)).toEqual(['by the first', 'by the second', 'by the third'])
    // Each hub's own admin token goes on, whoever started after it.
    for (const hub of [two, three]) await hub.client(hub.adminToken).call(api.status)
  })
})
