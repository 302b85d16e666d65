import { closeSync, openSync, writeSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { Backups } from '../src/hub/keeping/backups.ts'
import { StoreChecks } from '../src/hub/keeping/store-checks.ts'
import { openHub } from '../src/hub/open-hub.ts'
import { memberByName } from '../src/hub/state/query/find-member.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

test('after an invalid backup a hub checks its store at once, reports the damage, and accepts no more messages', {
  timeout: 120_000,
}, async () => {
  const dataDir = tempDir('checks')
  const told: string[] = []
  const open = () =>
    openHub({ dataDir, onBug: () => {}, onStorageError: () => {}, onDamage: ({ message }) => told.push(message) })
  let hub = open()
  for (const name of ['ana', 'ben']) await hub.submit({ type: 'member.add', name, kind: 'machine' })
  const by = memberByName(hub.state.db, 'ana')!.id
  const send = (body: string) => hub.submit({ type: 'message.send', id: newMessageId(), by, to: ['ben'], body })
  const newChecks = () => {
    const checks = new StoreChecks({
      hub,
      source: join(dataDir, 'hub.db'),
      program: resolve('dist/claude-net.mjs'),
      atOnce: false,
      onError: error => told.push(String(error)),
    })
    onTestFinished(() => checks.close())
    return checks
  }
  await Promise.all(Array.from({ length: 40 }, (_, n) => send(`${n} `.repeat(5000))))
  const [isDone] = await Promise.all([newChecks().check(), send('during a check')])
  expect(isDone).toBe(true)
  await send('after a good check')
  expect(told).toEqual([])
  const { page_count: pages } = hub.state.db.get<{ page_count: number }>('pragma page_count')!
  await hub.close()

  const file = openSync(join(dataDir, 'hub.db'), 'r+')
  for (let page = Math.floor(pages / 2); page < pages / 2 + 20; page++)
    writeSync(file, Buffer.alloc(4096), 0, 4096, page * 4096)
  closeSync(file)
  hub = open()
  onTestFinished(() => hub.close().catch(() => {}))
  const checks = newChecks()
  const settings = {
    dir: join(dataDir, 'backups'),
    everyHours: null,
    keepNewest: 1,
    keepDays: 0,
    keepGiB: null,
    logGiB: 1,
  }
  await using backups = new Backups({
    hub,
    source: join(dataDir, 'hub.db'),
    settings,
    program: resolve('dist/claude-net.mjs'),
    onMade: () => {},
    onBadCopy: () => checks.checkSoon(),
  })
  await expect(backups.make()).rejects.toMatchObject({ message: expect.stringContaining('is not a good backup') })
  await until('the store is checked', () => Promise.resolve(told.length > 0))
  expect(told).toEqual([expect.stringContaining('The store is damaged')])
  await expect(send('more')).rejects.toMatchObject({ code: 'unavailable' })
})
