import { type ChildProcess, execFileSync, spawn } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { HubClient } from '../../../src/client/hub-client.ts'
import { DirectTransport } from '../../../src/client/transport/direct.ts'
import { api } from '../../../src/protocol/api.ts'
import { between, pick } from '../../sim/random.ts'
import type { Fault, Round } from '../fault.ts'
import { type HubProcess, NotStarted } from '../hub-process.ts'
import { forAWhile, oneHub, storm } from '../storm.ts'
import { SyncedFiles } from '../synced-files.ts'

/** Extra time of a sync, in ms, so that the power often fails before a sync is done. */
const syncMs = 3

export const powerLoss: Fault = {
  name: 'power-loss',
  title: 'the power goes: of what was not synced each sector is kept or lost, and torn writes are left',
  needs: ['gcc'],
  isQuick: true,
  async run(round) {
    const library = join(round.dir, 'synced')
    mkdirSync(library)
    const files = new SyncedFiles(library, syncMs)
    const cluster = await oneHub(round, { env: files.env })
    const { hub } = cluster
    return await storm(round, cluster, async load => {
      // A stop moves the members into the database itself: then only messages can be lost, and the checker reports those.
      await hub.stop()
      await hub.start()
      await forAWhile(round, async () => {
        await load.answered(5)
        await delay(round.random() * 300)
        // A backup makes a checkpoint first, so the database file is written too.
        if (round.random() < 0.5) void backUp(hub)
        await delay(round.random() * 100)
        round.strike()
        await hub.kill()
        files.losePower(hub.dataDir, round.random)
        const found = files.check(hub.dataDir)
        if (found !== 'ok') load.violations.push({ kind: 'broken', text: `the store is damaged: ${found}` })
        await hub.start()
      })
    })
  },
}

async function backUp(hub: HubProcess): Promise<void> {
  const client = new HubClient({ transport: new DirectTransport(hub.url), token: hub.adminToken, timeoutMs: 60_000 })
  await client.call(api.makeBackup).catch(() => {})
  client.close()
}

export const fullDisk: Fault = {
  name: 'full-disk',
  title: 'the disk is full (ENOSPC on a tmpfs), also for a hub that starts on it',
  needs: ['namespace'],
  isQuick: true,
  async run(round) {
    const disk = smallDisk(round, '8m')
    const cluster = await oneHub(round, { dataDir: disk })
    const { hub } = cluster
    let size = 8
    const resize = (more: number) => {
      size += more
      execFileSync('mount', ['-o', `remount,size=${size}m`, disk])
    }
    return await storm(
      round,
      cluster,
      async load => {
        await forAWhile(round, async () => {
          await load.failedWith(/disk is full/)
          round.strike()
          await delay(between(round.random, 50, 500))
          if (round.random() < 0.4) {
            await hub.kill()
            // A hub that does not start on a full disk reports that, and starts once there is room.
            await hub.start().catch(error => {
              if (!(error instanceof NotStarted)) throw error
            })
          }
          resize(6)
          if (!hub.isRunning) await hub.start()
          await load.answered(3)
        })
        resize(200)
      },
      { textLength: 60_000, paceMs: 30 },
    )
  },
}

export const readOnlyDisk: Fault = {
  name: 'read-only-disk',
  title: 'the file system becomes read-only under the hub (EROFS), and stays so for its next start',
  needs: ['namespace', 'strace'],
  async run(round) {
    const disk = smallDisk(round, '200m')
    const cluster = await oneHub(round, { dataDir: disk })
    const { hub } = cluster
    const mount = (how: 'ro' | 'rw') => execFileSync('mount', ['-o', `remount,${how}`, disk])
    round.defer(() => mount('rw'))
    return await storm(round, cluster, load =>
      forAWhile(round, async () => {
        await load.answered(5)
        round.strike()
        await spoilUntilItEnds(round, hub, 'pwrite64', 'EROFS')
        mount('ro')
        const started = await hub.start().then(
          () => true,
          () => false,
        )
        if (started) {
          load.violations.push({
            kind: 'broken',
            text: 'a hub started on a read-only disk, where it can store nothing',
          })
          await hub.kill()
        }
        mount('rw')
        await hub.start()
      }),
    )
  },
}

const failures = [
  ['fsync,fdatasync', 'EIO'],
  ['fdatasync', 'EIO'],
  ['pwrite64', 'EIO'],
  ['pwrite64', 'ENOSPC'],
  ['pread64', 'EIO'],
  ['ftruncate', 'EIO'],
] as const

export const diskError: Fault = {
  name: 'disk-error',
  title: 'system calls of the hub fail (EIO of reads, writes and syncs), from one moment on or one in some',
  needs: ['strace'],
  async run(round) {
    const cluster = await oneHub(round)
    const { hub } = cluster
    return await storm(round, cluster, load =>
      forAWhile(round, async () => {
        await load.answered(5)
        round.strike()
        const [calls, error] = pick(round.random, failures)
        await spoilUntilItEnds(round, hub, calls, error)
        await hub.start()
      }),
    )
  },
}

/** Makes some system calls of the hub fail: all from now on, or one in some. A hub that does not use them is killed after a while. */
async function spoilUntilItEnds(round: Round, hub: HubProcess, calls: string, error: string): Promise<void> {
  const when = pick(round.random, ['1+', '3+', '2+3'])
  const inject = ['-f', '-e', `trace=${calls}`, '-e', `inject=${calls}:error=${error}:when=${when}`, '-o', '/dev/null']
  const tracer: ChildProcess = spawn('strace', [...inject, '-p', String(hub.pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  round.defer(() => tracer.kill())
  let said = ''
  tracer.stderr!.setEncoding('utf8').on('data', text => (said += text))
  while (!said.includes('attached') && tracer.exitCode === null && hub.isRunning) await delay(5)
  if (hub.isRunning && !said.includes('attached')) throw new Error(`strace cannot attach: ${said}`)
  await Promise.race([hub.ended(), delay(3000)])
  await hub.kill()
  tracer.kill()
}

/** Creates a directory on a memory file system of `size`; it is removed with the round. */
function smallDisk(round: Round, size: string): string {
  const dir = join(round.dir, 'disk')
  mkdirSync(dir)
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${size}`, 'none', dir])
  // Its content is no longer needed.
  round.defer(() => execFileSync('umount', ['--lazy', dir]))
  return dir
}
