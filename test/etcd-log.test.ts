import { afterAll, beforeAll, describe } from 'vitest'
import { journalSuite } from './suites/journal-suite.ts'
import { logSuite } from './suites/log-suite.ts'
import { EtcdCluster, withoutEtcd } from './support/etcd.ts'
import { OpenLogJournal } from './support/log-journal.ts'

describe.skipIf(withoutEtcd)('over three nodes of etcd', () => {
  let cluster: EtcdCluster
  beforeAll(async () => {
    cluster = await EtcdCluster.start(3)
  })
  afterAll(() => cluster[Symbol.asyncDispose]())

  logSuite('etcd', async () => {
    const history = await cluster.log()
    return [await history.connect(), await history.connect()]
  })

  journalSuite('etcd', async () => OpenLogJournal.open(await cluster.log()))
})
