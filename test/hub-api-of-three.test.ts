import { afterAll } from 'vitest'
import { hubSuite } from './suites/hub-suite.ts'
import { EtcdCluster } from './support/etcd.ts'
import { HubsAsOne } from './support/hubs-as-one.ts'
import { describeWithEtcd } from './support/with-etcd.ts'

describeWithEtcd('three hubs that act as one', async () => {
  const cluster = await EtcdCluster.start(3)
  afterAll(() => cluster[Symbol.asyncDispose]())
  hubSuite('etcd, one of three in turn', dataDir => new HubsAsOne(cluster, dataDir), {
    knowsSessions: false,
  })
})
