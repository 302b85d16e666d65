import { createServer, request } from 'node:http'
import type { AddressInfo } from 'node:net'
import { afterAll, beforeAll, expect, onTestFinished, test } from 'vitest'
import { EtcdLog } from '../src/hub/journal/etcd/etcd-log.ts'
import { EtcdGateway } from '../src/hub/journal/etcd/gateway.ts'
import { HistoryError, type Log } from '../src/hub/journal/log.ts'
import { carriedOut, inboxOf, invite, journalSuite, send } from './suites/journal-suite.ts'
import { logSuite } from './suites/log-suite.ts'
import { modelSuite } from './suites/model-suite.ts'
import { EtcdCluster } from './support/etcd.ts'
import { OpenLogJournal } from './support/log-journal.ts'
import { until } from './support/until.ts'
import { describeWithEtcd } from './support/with-etcd.ts'

/** Follows `log` from its beginning for the rest of the test. Returns the texts of its records, which grow as they arrive. */
function followed(log: Log): string[] {
  const texts: string[] = []
  const end = new AbortController()
  const following = (async () => {
    for await (const records of log.follow(0, end.signal))
      texts.push(...records.map(each => `${Buffer.from(each.bytes)}`))
  })()
  onTestFinished(async () => {
    end.abort()
    await following
  })
  return texts
}

/** Starts a proxy to a node of etcd whose watches start, but report nothing. */
async function silentWatches(endpoint: string): Promise<string> {
  const server = createServer((incoming, outgoing) => {
    const { method, headers, url } = incoming
    const forward = request(new URL(url!, endpoint), { method, headers }, answer => {
      outgoing.writeHead(answer.statusCode!, answer.headers)
      if (url === '/v3/watch') answer.once('data', created => outgoing.write(created)).resume()
      else answer.pipe(outgoing)
    })
    forward.on('error', () => outgoing.destroy())
    outgoing.on('close', () => forward.destroy())
    incoming.pipe(forward)
  }).listen(0, '127.0.0.1')
  await new Promise(resolve => server.once('listening', resolve))
  onTestFinished(() => {
    server.close()
    server.closeAllConnections()
  })
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describeWithEtcd('over three nodes of etcd', () => {
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

  modelSuite('etcd', async (_, clocks) => OpenLogJournal.open(await cluster.log(), { ...clocks, patienceMs: 10_000 }), {
    numRuns: 8,
    atLeast: 2,
  })

  test('records that a watch misses are still read', async () => {
    const history = await cluster.log()
    const deaf = await EtcdLog.open(
      new EtcdGateway({ endpoints: [await silentWatches(cluster.endpoints[0]!)] }),
      history.name,
    )
    const texts = followed(deaf)
    await using log = await history.connect()
    await log.append(0, Buffer.from('a'))
    await until('the first one', () => texts.length === 1)
    await log.append(1, Buffer.from('b'))
    await log.append(2, Buffer.from('c'))
    await until('the others', () => texts.length === 3)
    expect(texts).toEqual(['a', 'b', 'c'])
  })

  test('a log that was deleted, or created again under its name, accepts no record of the earlier one, and cannot be begun twice', async () => {
    const history = await cluster.log()
    await using log = await history.connect()
    await log.append(0, Buffer.from('a'))
    await expect(EtcdLog.create(cluster.gateway(), history.name, 'another')).rejects.toThrow(HistoryError)
    const all = Buffer.from(`/claude-net/${history.name}/`).toString('base64')
    const end = Buffer.from(`/claude-net/${history.name}0`).toString('base64')
    await cluster.gateway().ask('/v3/kv/deleterange', { key: all, range_end: end })
    await expect(log.append(1, Buffer.from('b'))).rejects.toThrow('The log was deleted.')
    await expect(EtcdLog.open(cluster.gateway(), history.name)).rejects.toThrow(HistoryError)
    await using anew = await EtcdLog.create(cluster.gateway(), history.name, log.epoch)
    await anew.append(0, Buffer.from('other'))
    await expect(log.append(1, Buffer.from('b'))).rejects.toThrow('made anew')
    expect(await anew.last()).toBe(1)
  })

  test('a log that was restored to an earlier state is detected by followers and writers, and trimming leaves the newest record', async () => {
    const history = await cluster.log()
    await using log = await history.connect()
    for (const [after, text] of ['a', 'b', 'c'].entries()) await log.append(after, Buffer.from(text))
    await log.trim(3)
    expect(await log.last()).toBe(3)
    expect(await log.append(3, Buffer.from('d'))).toBe(true)
    const newest = Buffer.from(`/claude-net/${history.name}/records/000000000004`).toString('base64')
    await cluster.gateway().ask('/v3/kv/deleterange', { key: newest })
    await expect(log.append(4, Buffer.from('e'))).rejects.toThrow('set back')
    const following = log.follow(4, new AbortController().signal)[Symbol.asyncIterator]()
    await expect(following.next()).rejects.toThrow('set back')
  })

  test('a hub continues when its node or the leader fails, and loses or duplicates nothing', async () => {
    const opened = await OpenLogJournal.open(await cluster.log(), { patienceMs: 20_000 })
    for (const machine of ['ana', 'ben', 'cat']) await opened.journal.submit(invite(machine))
    const bodies: string[] = []
    const write = async () => {
      const body = `${bodies.length}`
      carriedOut(await opened.journal.submit(send({ body })))
      bodies.push(body)
    }
    for (const victim of [cluster.nodes[0]!, await cluster.leader()]) {
      await write()
      const writing = Promise.all([write(), write()])
      await victim.kill()
      await writing
      await write()
      victim.start()
      await cluster.healthy()
    }
    expect(inboxOf(opened.state, 'ben').map(Number)).toEqual(bodies.map(Number))
  })
})

describeWithEtcd('over one node of etcd', () => {
  test('a full quota is reported as unavailable, and recovers', async () => {
    await using small = await EtcdCluster.start(1, { more: ['--quota-backend-bytes', `${2 * 1024 * 1024}`] })
    const opened = await OpenLogJournal.open(await small.log())
    for (const machine of ['ana', 'ben', 'cat']) await opened.journal.submit(invite(machine))
    const full = async () => {
      for (;;) await opened.journal.submit(send({ body: 'x'.repeat(30_000) }))
    }
    await expect(full()).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('space'),
    })
    await opened.log.makeRoom(opened.state.position.offset - 1)
    expect(carriedOut(await opened.journal.submit(send({ body: 'there is room again' })))).toMatchObject({
      repeated: false,
    })
  })
})
