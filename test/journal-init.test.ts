import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { EtcdLog } from '../src/hub/journal/etcd/etcd-log.ts'
import { beginHistory, leaveHistory } from '../src/hub/journal-commands.ts'
import { openAlone, openShared } from '../src/hub/open-hub.ts'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { inboxOf, invite, send } from './suites/journal-suite.ts'
import { EtcdCluster } from './support/etcd.ts'
import { startHub } from './support/hub.ts'
import { hubNode, run } from './support/program.ts'
import { tempDir } from './support/temp.ts'
import { describeWithEtcd } from './support/with-etcd.ts'

/** Options that name the log. */
type Log = Parameters<typeof beginHistory>[0]

vi.setConfig({ testTimeout: 180_000 })

/** Creates the directory of a standalone hub that has stopped, with one unread message for ben. */
async function aloneHub(): Promise<string> {
  const dataDir = tempDir('alone')
  const { state, journal } = openAlone({ dataDir })
  for (const command of [invite('ana'), invite('ben'), send({ body: 'before' })]) await journal.submit(command)
  await journal.close()
  state.close()
  return dataDir
}

describeWithEtcd('the commands of the journal', () => {
  let cluster: EtcdCluster
  let count = 0
  beforeAll(async () => {
    cluster = await EtcdCluster.start(1)
  })
  afterAll(() => cluster[Symbol.asyncDispose]())

  const newLog = (): Log => ({ endpoints: cluster.endpoints, name: `log${count++}` })
  const urlOf = ({ name }: Log) => `${cluster.endpoints[0]!.replace('http:', 'etcd:')}/${name}`

  async function open(dataDir: string, { name }: Log, hub = 'h0') {
    const opened = await openShared({ log: await EtcdLog.open(cluster.gateway(), name), name, hub }, { dataDir })
    return {
      ...opened,
      async [Symbol.asyncDispose]() {
        opened.level?.close()
        await opened.journal.close()
        opened.state.close()
      },
    }
  }

  test('a store that begins a history keeps its messages and cursors, and is refused as a single hub; other hubs need a snapshot', async () => {
    const dataDir = await aloneHub()
    let cursor = ''
    {
      const { state, journal } = openAlone({ dataDir })
      cursor = `${state.position.epoch}:${state.position.seq}`
      await journal.close()
      state.close()
    }
    const log = newLog()
    const begun = await beginHistory(log, dataDir)
    expect(begun).toMatchObject({ name: log.name, from: dataDir, seq: 3, wasThere: false })
    expect(() => openAlone({ dataDir })).toThrow(`belongs to the history '${log.name}' in etcd`)
    {
      await using hub = await open(dataDir, log)
      const [epoch, seq] = cursor.split(':')
      expect(hub.state.seqOf({ epoch: epoch!, seq: Number(seq) })).toBe(3)
      expect(hub.state.position.epoch).toBe(begun.epoch)
      await hub.journal.submit(send({ body: 'after' }))
      expect(inboxOf(hub.state, 'ben')).toHaveLength(2)
    }
    await expect(open(tempDir('empty'), log, 'h1')).rejects.toThrow('begins at record')
    // A copy of the store continues from its position, like a snapshot.
    const copy = tempDir('copy')
    copyFileSync(join(dataDir, 'hub.db'), join(copy, 'hub.db'))
    await using again = await open(copy, log)
    expect(inboxOf(again.state, 'ben')).toHaveLength(2)
  })

  test('a store is not opened under another hub name, and a store of another history not at all', async () => {
    const [log, other] = [newLog(), newLog()]
    const dataDir = tempDir('named')
    await beginHistory(log)
    await beginHistory(other)
    await (await open(dataDir, log))[Symbol.asyncDispose]()
    await expect(open(dataDir, log, 'h1')).rejects.toThrow("is the one of the hub 'h0'; this hub is called 'h1'")
    await expect(open(dataDir, other)).rejects.toThrow('has the history')
    await expect(open(await aloneHub(), log)).rejects.toThrow('standalone hub')
    await using hub = await open(dataDir, log)
    expect(hub.state.position.offset).toBe(0)
  })

  test('the same command again changes nothing; another store, or a history with records, is refused', async () => {
    const [dataDir, second] = [await aloneHub(), await aloneHub()]
    const log = newLog()
    const { epoch } = await beginHistory(log, dataDir)
    expect(await beginHistory(log, dataDir)).toMatchObject({ epoch, wasThere: true })
    for (const from of [second, undefined])
      await expect(beginHistory(log, from)).rejects.toMatchObject({ code: 'conflict' })
    await expect(beginHistory(newLog(), dataDir)).rejects.toThrow('belongs to another history already')
    const { state, journal } = openAlone({ dataDir: second })
    await journal.close()
    state.close()
    const empty = newLog()
    const first = await beginHistory(empty)
    expect(await beginHistory(empty)).toEqual({ ...first, wasThere: true })
    await expect(beginHistory(empty, second)).rejects.toThrow('has a history called')
  })

  test('a beginning that was interrupted between store and etcd is completed by the same command', async () => {
    const dataDir = await aloneHub()
    const log = newLog()
    const create = vi.spyOn(EtcdLog, 'create').mockRejectedValueOnce(new Error('killed'))
    await expect(beginHistory(log, dataDir)).rejects.toThrow('killed')
    create.mockRestore()
    expect(() => openAlone({ dataDir })).toThrow('cannot be used without it')
    await expect(open(dataDir, log)).rejects.toThrow('etcd has no history')
    expect(await beginHistory(log, dataDir)).toMatchObject({ seq: 3, wasThere: false })
    await using hub = await open(dataDir, log)
    await hub.journal.submit(send({ body: 'after' }))
    expect(inboxOf(hub.state, 'ben')).toHaveLength(2)
  })

  test('a store that another one preceded in etcd becomes that of a single hub again', async () => {
    const dataDir = await aloneHub()
    const log = newLog()
    const find = vi.spyOn(EtcdLog, 'find').mockResolvedValueOnce(undefined)
    await beginHistory(log)
    find.mockResolvedValueOnce(undefined)
    await expect(beginHistory(log, dataDir)).rejects.toThrow('etcd has a history')
    find.mockRestore()
    const { state, journal } = openAlone({ dataDir })
    await journal.close()
    state.close()
  })

  test('a deleted log is not begun again with a store that has continued in it', async () => {
    const dataDir = await aloneHub()
    const log = newLog()
    await beginHistory(log, dataDir)
    {
      await using hub = await open(dataDir, log)
      await hub.journal.submit(send())
    }
    const key = (end: string) => Buffer.from(`/claude-net/${log.name}${end}`).toString('base64')
    const gateway = cluster.gateway()
    await gateway.ask('/v3/kv/deleterange', { key: key('/'), range_end: key('0') })
    gateway.close()
    await expect(beginHistory(log, dataDir)).rejects.toThrow('belongs to another history already')
    await leaveHistory(dataDir)
    expect(await beginHistory(log, dataDir)).toMatchObject({ seq: 4, wasThere: false })
  })

  test('a store that leaves catches up with the log that is named, and then stands alone; the others continue', async () => {
    const [one, two] = [tempDir('one'), tempDir('two')]
    const log = newLog()
    await beginHistory(log)
    {
      await using hub = await open(one, log)
      for (const command of [invite('ana'), invite('ben'), send({ body: 'first' })]) await hub.journal.submit(command)
    }
    await using other = await open(two, log, 'h1')
    await other.journal.submit(send({ body: 'second' }))
    expect(await leaveHistory(one, log)).toMatchObject({ name: log.name, hub: 'h0', seq: 4, caughtUp: 1 })
    await expect(leaveHistory(one)).rejects.toThrow('is standalone already')
    await other.journal.submit(send({ body: 'third' }))
    const { state, journal } = openAlone({ dataDir: one })
    expect(inboxOf(state, 'ben')).toHaveLength(2)
    // A reader that has seen the third message at the other hub learns from its cursor that this is another history.
    expect(state.seqOf({ epoch: other.state.position.epoch, seq: 4 })).toBe(4)
    expect(state.seqOf({ epoch: other.state.position.epoch, seq: 5 })).toBeUndefined()
    await journal.close()
    state.close()
    await expect(open(one, log)).rejects.toThrow('standalone hub')
  })

  test('nothing is begun if etcd does not respond, or there is no store', async () => {
    const dataDir = await aloneHub()
    await expect(beginHistory({ endpoints: ['http://127.0.0.1:1'], name: 'main' }, dataDir)).rejects.toMatchObject({
      code: 'unavailable',
      message: expect.stringContaining('No node of etcd answers'),
    })
    const { state, journal } = openAlone({ dataDir })
    await journal.close()
    state.close()
    const nowhere = join(dataDir, 'nowhere')
    await expect(beginHistory(newLog(), nowhere)).rejects.toMatchObject({ code: 'not_found' })
    await expect(leaveHistory(nowhere)).rejects.toMatchObject({ code: 'not_found' })
    expect(existsSync(nowhere)).toBe(false)
  })

  test('a single hub moves to the log and back by the commands, and an existing client continues', async () => {
    const hub = await startHub()
    const [ana, ben] = [await hub.join('ana'), await hub.join('ben')]
    const say = (body: string) => ana.client.call(api.sendMessage, { body: { id: newMessageId(), to: ['ben'], body } })
    const read = async () => (await ben.client.call(api.readInbox)).messages.map(({ body }) => body)
    await say('alone')
    const log = newLog()
    const journal = (...args: string[]) => run(['journal', ...args, '--json'], { node: hubNode })
    const init = ['init', '--from', hub.dataDir, '--journal', urlOf(log)]
    expect(JSON.parse((await journal(...init)).stderr).error).toMatchObject({ code: 'conflict' })
    await hub.stop()
    expect(JSON.parse((await journal(...init)).stdout)).toMatchObject({ name: log.name, wasThere: false })
    await expect(hub.start()).rejects.toThrow('claude-net journal leave --data')
    const shared = await startHub({ dataDir: hub.dataDir, port: hub.port, config: { journal: log, hubName: 'h0' } })
    await say('shared')
    expect(await read()).toEqual(['alone', 'shared'])
    await shared.stop()
    const left = JSON.parse((await journal('leave', '--data', hub.dataDir, '--journal', urlOf(log))).stdout)
    expect(left).toMatchObject({ hub: 'h0', caughtUp: 0 })
    await hub.start()
    await say('alone again')
    expect(await read()).toEqual(['alone', 'shared', 'alone again'])
  })
})
