import { execFileSync, spawnSync } from 'node:child_process'
import { chmodSync, mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test, vi } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { version } from '../src/protocol/version.ts'
import { startHub } from './support/hub.ts'
import { findTool } from './support/newcomer.ts'
import { cleanEnv, machineNode, program, run } from './support/program.ts'
import { raw } from './support/raw.ts'
import { tempDir } from './support/temp.ts'
import { twoMembers } from './support/two-members.ts'
import { until } from './support/until.ts'

// Each test starts several programs, which takes long on a busy machine.
vi.setConfig({ testTimeout: 180_000 })

test('status shows the hub, the store, online members, old clients, and the oldest unread messages, on one screen', async () => {
  // `status` shows the start of the process, so a new one is needed.
  const hub = await startHub({ cold: true })
  const status = (...options: string[]) => run(['status', '--data', hub.dataDir, ...options])
  expect((await status()).stdout).toMatch(
    /^Hub +\S+ at http:\S+, started just now\nReady +yes[\s\S]*\nUnread +nothing\n$/,
  )
  const alpha = await hub.join('alpha')
  await hub.join('sean', 'human')
  for (let n = 0; n < 12; n++) await hub.join(`beta-${n}`)
  await alpha.client.call(api.heartbeat, { body: { session: 's1', client: 'claude-net/0.0.9' } })
  await alpha.client.call(api.heartbeat, { body: { session: 's2', client: 'claude-net/99.0.0' } })
  for (const to of ['all', 'beta-3']) await alpha.client.call(api.sendMessage, { body: { to, body: 'hello' } })

  const { code, stdout, stderr } = await status()
  expect([code, stderr]).toEqual([0, ''])
  // With the prompt, it fits on a terminal of 24 lines.
  expect(stdout.split('\n').length).toBeLessThanOrEqual(24)
  expect(stdout).toMatch(/^Telegram +none$/m)
  expect(stdout).toMatch(/^Machines +13, 1 online$/m)
  expect(stdout).toMatch(/^People +1, 0 online$/m)
  expect(stdout).toMatch(/^Behind +alpha \(claude-net\/0\.0\.9\): run claude-net update there$/m)
  expect(stdout).toMatch(/^Unread +13 messages, the oldest sent just now$/m)
  expect(stdout).toMatch(/^beta-3 +2 +just now +no session yet$/m)
  expect(stdout).toMatch(/^and 2 more inboxes with unread messages$/m)

  const json = JSON.parse((await status('--json')).stdout)
  expect(json).toMatchObject({
    version,
    ready: true,
    notReady: null,
    members: { machines: 13, onlineMachines: 1, humans: 1, onlineHumans: 0 },
    behind: [{ name: 'alpha', clients: ['claude-net/0.0.9'] }],
    unread: 13,
    moreInboxes: 2,
    lastBackup: null,
  })
  const { bytes } = await hub.client(hub.adminToken).call(api.makeBackup)
  expect(JSON.parse((await status('--json')).stdout).lastBackup).toMatchObject({ bytes })
  expect((await status()).stdout).toMatch(/^Backup +just now, /m)
  expect(json.store.bytes).toBeGreaterThan(4096)
  expect(json.load).toMatchObject({ streams: 0, connections: { known: expect.any(Number) }, unreadAnswerBytes: 0 })
  const { p50, p99, max } = json.load.commitMs
  expect([0, p50, p99, max]).toEqual([0, p50, p99, max].toSorted((a, b) => a - b))
  expect(json.store.freeBytes).toBeGreaterThan(0)
})

test('the list of machines names the version of each client, and marks old ones', async () => {
  const { hub, sean, chas } = await twoMembers()
  await chas.client.call(api.heartbeat, { body: { session: 's1', client: 'claude-net/0.0.9' } })
  await (await hub.join('jaz')).client.call(api.heartbeat, { body: { session: 's1', client: `claude-net/${version}` } })
  const { stdout } = await sean.run(['machines'])
  expect(stdout).toMatch(/^NAME +KIND +OWNER +STATE +CLIENT\n/)
  expect(stdout).toMatch(
    /^chasclaude +machine +online +claude-net\/0\.0\.9 \(old: update, then reconnect under \/mcp\)$/m,
  )
  expect(stdout).toMatch(new RegExp(`^jaz +machine +online +claude-net/${version.replaceAll('.', '\\.')}$`, 'm'))
})

test('without a hub, status shows where it looked; without permission, whose permission is needed', async context => {
  const nowhere = tempDir('nowhere')
  expect(await run(['status', '--data', nowhere])).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Is a hub running'),
  })
  const data = join(tempDir('closed'), 'data')
  mkdirSync(data, { mode: 0o000 })
  onTestFinished(() => chmodSync(data, 0o700))
  const setpriv = findTool('setpriv')
  if (process.getuid?.() === 0 && !setpriv) context.skip('setpriv of util-linux is not installed here')
  const asNobody = process.getuid?.() === 0 ? [setpriv!, '--reuid=65534', '--regid=65534', '--clear-groups'] : []
  const [command, ...args] = [...asNobody, machineNode, program, 'status', '--data', data]
  const { status, stderr } = spawnSync(command!, args, { encoding: 'utf8', env: cleanEnv() })
  expect([status, stderr]).toEqual([1, expect.stringContaining('run it with sudo')])
})

test('while the disk is full the hub is not ready and says why, serves reads, and becomes ready again without a restart', async context => {
  if (process.getuid?.() !== 0) context.skip('only root can make a small disk')
  const disk = tempDir('disk')
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m,mode=700', 'tmpfs', disk], { stdio: 'pipe' })
  } catch (error) {
    context.skip(`no file system can be mounted here: ${(error as Error).message}`)
  }
  onTestFinished(() => void execFileSync('umount', ['-l', disk]))
  const hub = await startHub({ dataDir: join(disk, 'data') })
  const beta = await hub.join('beta')
  const alpha = await hub.join('alpha')
  await alpha.client.call(api.sendMessage, { body: { to: 'beta', body: 'before' } })
  const ready = async () => (await raw(hub, { path: '/readyz' })).status
  expect(await ready()).toBe(200)

  const filler = join(disk, 'filler')
  execFileSync('sh', ['-c', `cat /dev/zero > ${filler} || true`], { stdio: 'pipe' })
  // The log may reuse its space, so more is sent than it can hold.
  await until(
    'the disk refuses',
    async () =>
      (await raw(hub, { path: '/v1/messages', token: alpha.token, body: { to: 'beta', body: 'x'.repeat(30_000) } }))
        .status === 503,
    90_000,
  )
  await until('the hub is not ready', async () => (await ready()) === 503)
  const status = await run(['status', '--data', hub.dataDir])
  expect(status.code).toBe(1)
  expect(status.stdout).toMatch(/^Ready +NO: The hub's disk is full\.$/m)
  expect((await beta.client.call(api.readInbox)).messages[0]?.body).toBe('before')

  rmSync(filler)
  await until('it is ready again', async () => (await ready()) === 200)
})
