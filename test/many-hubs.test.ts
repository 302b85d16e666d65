import { cpSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { EtcdCluster } from './support/etcd.ts'
import { startHub } from './support/hub.ts'
import { ManyHubs } from './support/many-hubs.ts'
import { run } from './support/program.ts'
import { tempDir } from './support/temp.ts'
import { describeWithEtcd } from './support/with-etcd.ts'

describeWithEtcd('three hubs over one log', () => {
  let cluster: EtcdCluster
  beforeAll(async () => {
    cluster = await EtcdCluster.start(3)
  })
  afterAll(() => cluster[Symbol.asyncDispose]())

  test('a message acknowledged by one hub can be read at each, and still after that hub is killed', async () => {
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
    // The admin token of each hub stays valid, whichever hub started last.
    for (const hub of [two, three]) await hub.client(hub.adminToken).call(api.status)
  })

  test('the hubs are listed; one that diverged stops, and is removed after its end', async () => {
    const { hubs } = await ManyHubs.start(cluster)
    const [one, two, three] = hubs as [(typeof hubs)[0], (typeof hubs)[0], (typeof hubs)[0]]
    const ana = await one.join('ana')
    await one.join('ben')
    const known = () => two.client(ana.token).call(api.listHubs)
    await expect
      .poll(() => known().catch(() => undefined), { timeout: 90_000 })
      .toMatchObject({
        hubs: hubs.map((hub, index) => ({
          ...{ name: `h${index}`, url: hub.tlsOrigin, hubKey: hub.hubKey, self: hub === two },
        })),
      })
    const listed = async (...more: string[]) => run(['hubs', ...more, '--data', one.dataDir])
    expect((await listed()).stdout).toMatch(/h0 +here.*\nh1 +running.*\nh2 +running/)
    expect((await listed('forget', 'h2')).stderr).toMatch(/h2 is running/)

    await three.stop()
    const store = new DatabaseSync(join(three.dataDir, 'hub.db'))
    store.exec("update member set inbound = 'refuse' where name = 'ben'")
    store.close()
    await three.start()
    const send = (at: typeof one) =>
      at.client(ana.token).call(api.sendMessage, { body: { id: newMessageId(), to: ['ben'], body: 'hello' } })
    await send(one)
    await send(two)
    await three.ended()
    expect(three.log).toMatch(/This hub has come to other outcomes than h0, h1/)
    await send(one)
    await expect.poll(async () => (await listed()).stdout, { timeout: 90_000 }).toMatch(/h2 +OFFLINE/)
    expect((await listed('forget', 'h2')).stdout).toMatch(/h2 is forgotten/)
    expect((await listed()).stdout).not.toMatch(/h2/)
    const { stdout } = await run(['status', '--data', one.dataDir])
    expect(stdout).toMatch(/Hubs +h0 \(this\).*, h1/)
    await send(two)
  })

  test('a second hub with the same name does not start, with its own store or a copy; a restart does at once', async () => {
    const { hubs, history } = await ManyHubs.start(cluster, 1)
    const [one] = hubs as [(typeof hubs)[0]]
    const config = { journal: { endpoints: cluster.endpoints, name: history.name }, hubName: 'h0' }
    const copy = join(tempDir('copy'), 'data')
    cpSync(one.dataDir, copy, { recursive: true, filter: path => !path.endsWith('.sock') })
    const refused =
      /A hub called 'h0' is running in the history .*\nGive this hub a name of its own: hubName in hub.json/
    const twins = [{ config }, { config, dataDir: copy }]
    await Promise.all(twins.map(twin => expect(startHub(twin)).rejects.toThrow(refused)))
    await one.crashAndRestart()
    await one.client(one.adminToken).call(api.status)
    await startHub({ config: { ...config, hubName: 'h1' } })
  })
})
