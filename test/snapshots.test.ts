import { copyFileSync, existsSync, mkdirSync, readdirSync, renameSync, statSync, truncateSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { afterAll, beforeAll, expect, test, vi } from 'vitest'
import { beginHistory } from '../src/hub/journal-commands.ts'
import { placeOfBackup } from '../src/hub/keeping/check-backup.ts'
import { takeSnapshot } from '../src/hub/keeping/take-snapshot.ts'
import { openAlone } from '../src/hub/open-hub.ts'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { inboxOf, invite, send } from './suites/journal-suite.ts'
import { EtcdCluster, EtcdHistory } from './support/etcd.ts'
import { startHub, type TestHub } from './support/hub.ts'
import { program } from './support/program.ts'
import { tempDir } from './support/temp.ts'
import { describeWithEtcd } from './support/with-etcd.ts'

vi.setConfig({ testTimeout: 90_000 })

/** Creates the closed store of a hub on a log. Returns its epoch and its offset, which is 3. */
async function closedStore(): Promise<{ file: string; epoch: string; offset: number }> {
  const dataDir = tempDir('store')
  const { state, journal } = openAlone({ dataDir })
  for (const command of [invite('ana'), invite('ben'), send()]) await journal.submit(command)
  state.joinLog(state.position.epoch, { name: 'main', hub: 'h0', begunAt: null })
  state.db.transaction(() => state.db.run(`insert into own_admin_token (id) values ('abcdefgh')`))
  const { epoch, offset } = state.position
  await journal.close()
  state.close()
  return { file: join(dataDir, 'hub.db'), epoch, offset }
}

const nobody = { peers: [], secret: '', program, onProgress: () => {} }

test('the newest backup in a directory is used that is intact, of this history, and continued by the log', async () => {
  const [good, other] = [await closedStore(), await closedStore()]
  const [dir, dataDir] = [tempDir('backups'), tempDir('hub')]
  const put = (from: string, day: number) => {
    const file = join(dir, `hub-2026-01-0${day}T00-00-00.000Z.db`)
    copyFileSync(from, file)
    return file
  }
  const taken = put(good.file, 1)
  const damaged = put(good.file, 2)
  truncateSync(damaged, statSync(damaged).size - 4096)
  put(other.file, 3)
  const failed: [string, string][] = []
  const take = (first: number, offset = 0) =>
    takeSnapshot({
      ...nobody,
      ...{ dataDir, dir, epoch: good.epoch, first, offset },
      onFailed: (from, { message }) => failed.push([from, message]),
    })
  expect(await take(good.offset + 2)).toBeUndefined()
  expect(failed.map(([, why]) => why)).toContain(
    `it stands at ${good.offset}, and the log begins at ${good.offset + 2}`,
  )
  expect(await take(2, good.offset)).toBeUndefined()
  expect(readdirSync(dataDir)).toEqual([])
  failed.length = 0
  expect(await take(good.offset + 1)).toMatchObject({ from: taken, offset: good.offset, replaced: null })
  expect(failed.map(([from]) => from)).toContain(damaged)
  expect(failed.map(([, why]) => why)).toContain(`it is of another history, ${other.epoch}`)
  const { state, journal } = { ...openAlone({ dataDir }) }
  expect(inboxOf(state, 'ben')).toHaveLength(1)
  // The tables local to the other hub are empty.
  expect(state.db.all('select 1 from own_log union all select 1 from own_admin_token')).toEqual([])
  await journal.close()
  state.close()
})

describeWithEtcd('hubs whose store ends before the log begins', () => {
  let cluster: EtcdCluster
  beforeAll(async () => {
    cluster = await EtcdCluster.start(1)
  })
  afterAll(() => cluster[Symbol.asyncDispose]())

  const say = (hub: TestHub, token: string, body: string) =>
    hub.client(token).call(api.sendMessage, { body: { id: newMessageId(), to: ['ben'], body } })
  const texts = async (hub: TestHub, token: string) =>
    (await hub.client(token).call(api.readInbox)).messages.map(({ body }) => body)

  test('fetch a snapshot from another hub automatically: new hubs, absent ones and those that lost their store', async () => {
    const journal = { endpoints: cluster.endpoints, name: 'taken' }
    const single = await startHub()
    const [ana, ben] = [await single.join('ana'), await single.join('ben')]
    await say(single, ana.token, 'alone')
    await single.stop()
    await beginHistory(journal, single.dataDir)
    const config = (hubName: string) => ({ config: { journal, hubName } })
    const one = await startHub({ dataDir: single.dataDir, ...config('h0') })
    const asked = await fetch(new URL('/v1/hubs/snapshot', one.url), { headers: { 'claude-net-log-secret': 'guess' } })
    expect([asked.status, ((await asked.json()) as { error: { code: string } }).error.code]).toEqual([
      401,
      'unauthorized',
    ])
    await expect
      .poll(() =>
        one
          .client(one.adminToken)
          .call(api.listHubs)
          .then(({ hubs }) => hubs[0]?.isLive),
      )
      .toBe(true)

    // A new hub.
    const two = await startHub(config('h1'))
    expect(await texts(two, ben.token)).toEqual(['alone'])
    await say(two, ana.token, 'by the second')
    await expect.poll(() => texts(one, ben.token)).toEqual(['alone', 'by the second'])
    for (const hub of [one, two]) await hub.client(hub.adminToken).call(api.status)

    // A hub that was stopped while the log was trimmed.
    await two.stop()
    for (const body of ['third', 'fourth']) await say(one, ana.token, body)
    const { file } = await one.client(one.adminToken).call(api.makeBackup)
    await say(one, ana.token, 'fifth')
    await new EtcdHistory(cluster, 'taken').makeRoom(placeOfBackup(file).offset)
    const store = join(two.dataDir, 'hub.db')
    await two.start()
    const all = ['alone', 'by the second', 'third', 'fourth', 'fifth']
    expect(await texts(two, ben.token)).toEqual(all)
    const aside = readdirSync(two.dataDir).find(name => name.startsWith('replaced-'))
    expect(existsSync(join(two.dataDir, aside!, 'hub.db'))).toBe(true)

    // A hub that ended after it had put a snapshot in place, but before it joined.
    await two.stop()
    renameSync(store, `${store}.restored`)
    using db = new DatabaseSync(`${store}.restored`)
    db.exec('delete from own_log')
    db.close()
    await two.start()
    expect(await texts(two, ben.token)).toEqual(all)

    // A hub that has lost its store.
    await two.stop()
    renameSync(store, join(tempDir('lost'), 'hub.db'))
    await two.start()
    expect(await texts(two, ben.token)).toEqual(all)
    await say(two, ana.token, 'sixth')
    await two.client(two.adminToken).call(api.status)

    // If no hub can provide a snapshot, a backup may be put into a directory.
    await two.stop()
    await one.stop()
    await expect(startHub(config('h2'))).rejects.toThrow('no hub of it provided a snapshot')
    const dir = join(tempDir('snapshots'), 'of-h0')
    mkdirSync(dir)
    copyFileSync(file, join(dir, 'hub-2026-01-01T00-00-00.000Z.db'))
    const three = await startHub({ config: { journal: { ...journal, snapshots: dir }, hubName: 'h2' } })
    expect(await texts(three, ben.token)).toEqual([...all, 'sixth'])
  })
})
