import { mkdirSync, rmdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { expect, test, vi } from 'vitest'
import { checkTail, findTail } from '../src/hub/keeping/check-tail.ts'
import { drill } from '../src/hub/keeping/restore.ts'
import { backupsIn } from '../src/hub/keeping/rotation.ts'
import type { Command } from '../src/hub/state/commands.ts'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { busyMembers } from './support/busy-hour.ts'
import { FollowedHub } from './support/followed-hub.ts'
import { startHub } from './support/hub.ts'
import { mount, smallDisk, unmount } from './support/mounts.ts'
import { printedSeed, seededRandom } from './support/random.ts'
import { fingerprintOfStore, restoredTo } from './support/tails.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

// Each backup starts a process.
vi.setConfig({ testTimeout: 180_000 })

/** Number of kills of the hub. For a long run: CLAUDE_NET_TAIL_KILLS=100 npx vitest run test/tail-disks.test.ts */
const kills = Number(process.env.CLAUDE_NET_TAIL_KILLS ?? 4)

function send(body: string): Command {
  return { type: 'message.send', id: newMessageId(), by: 1, to: ['ben'], body }
}

/** Opens a hub whose tail is in `dir`, with some members and a tail that is up to date. */
async function followedIn(dir: string, options: ConstructorParameters<typeof FollowedHub>[0] = {}) {
  const hub = new FollowedHub({ ...options, dir })
  for (const command of busyMembers) await hub.do(command)
  await hub.followed()
  return hub
}

/** Fills a disk. Returns a function that frees the space. */
function fill(disk: string): () => void {
  const { bavail, bsize } = statfsSync(disk)
  const ballast = join(disk, 'ballast')
  writeFileSync(ballast, Buffer.alloc(bavail * bsize))
  return () => rmSync(ballast)
}

test('a hub killed while it writes its tail has a valid one up to there, and the next backup has everything after it', async () => {
  const random = seededRandom(printedSeed())
  const logTo = join(tempDir('tails'), 'log')
  const hub = await startHub({ config: { backup: { logTo } } })
  const [ana] = [await hub.join('ana'), await hub.join('ben')]
  const backupDir = join(hub.dataDir, 'backups')
  const enough = new AbortController()
  const sending = (async () => {
    while (!enough.signal.aborted) {
      const body = { id: newMessageId(), to: 'ben', body: 'x'.repeat(random() * 60_000) }
      await ana.client.call(api.sendMessage, { body }).catch(() => delay(20))
    }
  })()
  const tail = async () => (await hub.client(hub.adminToken).call(api.status)).tail!
  for (let kill = 0; kill < kills; kill++) {
    await until('there is a tail', async () => (await tail()).file?.endsWith('.log'), 90_000)
    await delay(random() * 600)
    await hub.stop('SIGKILL')
    // The tail is never ahead of the store.
    await hub.start()
    const { seq } = (await hub.client(hub.adminToken).call(api.status)).store
    for (const { name } of backupsIn(backupDir)) {
      expect(checkTail(join(logTo, name.replace(/\.db$/, '.log'))).seq).toBeLessThanOrEqual(seq)
    }
  }
  enough.abort()
  await sending
  await until('the tail is up to date', async () => {
    const { behind, trouble, file } = await tail()
    return behind === 0 && trouble === null && file?.endsWith('.log')
  })
  await hub.stop()
  const backups = backupsIn(backupDir).map(({ name }) => join(backupDir, name))
  for (const backup of backups) drill(backup, { to: 'end', log: logTo })
  const newest = backups[0]!
  expect(restoredTo({ file: newest }, logTo, { to: 'end' }).fingerprint).toBe(
    fingerprintOfStore(join(hub.dataDir, 'hub.db')),
  )
})

test('a full disk under the tail stops nothing and is reported; once there is room the same file is continued', async context => {
  const disk = smallDisk(context, '20m')
  const hub = await followedIn(join(disk, 'tails'))
  const free = fill(disk)
  for (const body of ['one', 'two', 'three']) await hub.do(send(body.repeat(5000)))
  await until('it is reported', () => hub.tails.status().trouble !== null, 90_000)
  expect(hub.tails.status()).toMatchObject({ behind: expect.any(Number), trouble: 'the disk is full' })
  expect(hub.tails.status().behind).toBeGreaterThan(0)
  free()
  await hub.followed()
  expect(hub.troubles).toEqual(['the disk is full', undefined])
  expect(hub.made).toHaveLength(1)
  const file = findTail(hub.logTo, hub.made[0]!)!
  expect(checkTail(file)).toMatchObject({ seq: hub.hub.state.position.seq, tornBytes: 0 })
  expect(restoredTo(hub.made[0]!, hub.logTo, { to: 'end' }).fingerprint).toBe(hub.fingerprint())
})

test('a disk that stays full for too long leaves a gap: once there is room a backup is made, and not before', async context => {
  const disk = smallDisk(context, '40m')
  const hub = await followedIn(join(disk, 'tails'), { maxWaitingBytes: 50_000 })
  const free = fill(disk)
  for (let n = 0; n < 6; n++) await hub.do(send('x'.repeat(20_000)))
  await until('it is reported', () => hub.troubles.some(told => told?.includes('too much waits')), 90_000)
  await until('it waits for room', () => hub.tails.status().trouble === 'the disk is full', 90_000)
  expect(hub.made).toHaveLength(1)
  free()
  await until('there is another backup', () => hub.made.length === 2, 90_000)
  await hub.do(send('in its tail'))
  await hub.followed()
  expect(restoredTo(hub.made[1]!, hub.logTo, { to: 'end' }).fingerprint).toBe(hub.fingerprint())
  // The part of the previous tail that was written is valid.
  expect(checkTail(findTail(hub.logTo, hub.made[0]!)!)).toMatchObject({ isEnded: false })
})

test('a disk that is removed and returns is detected both times, and then gets a backup with a tail', async context => {
  const point = join(tempDir('point'), 'mnt')
  const disk = tempDir('disk')
  const attach = () => {
    rmSync(point, { force: true })
    mkdirSync(point, { recursive: true })
    mount(context, ['--bind', disk, point])
  }
  attach()
  const hub = await followedIn(join(point, 'tails'))
  await hub.do(send('before'))
  await hub.followed()
  const before = hub.hub.state.position.seq

  unmount(point)
  rmdirSync(point)
  writeFileSync(point, '')
  await hub.do(send('meanwhile'))
  await until('it is reported', () => hub.tails.status().trouble === 'its directory is not there', 90_000)
  expect(hub.tails.status()).toMatchObject({ seq: before, behind: 1 })
  expect(hub.made).toHaveLength(1)

  attach()
  try {
    await until('there is another backup', () => hub.made.length === 2, 90_000)
    await hub.do(send('after'))
    await hub.followed()
    expect(hub.troubles.at(-1)).toBeUndefined()
    expect(restoredTo(hub.made[1]!, hub.logTo, { to: 'end' }).fingerprint).toBe(hub.fingerprint())
    // The open file could still be written after the unmount.
    expect(restoredTo(hub.made[0]!, hub.logTo, { to: 'end' })).toMatchObject({ seq: before + 1 })
  } finally {
    await hub.close()
    unmount(point)
  }
})
