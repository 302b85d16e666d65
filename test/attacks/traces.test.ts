import { chmodSync, mkdirSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { api } from '../../src/protocol/api.ts'
import { startHub } from '../support/hub.ts'
import { startMachine } from '../support/machine.ts'
import { raw } from '../support/raw.ts'
import { tempDir } from '../support/temp.ts'

/** Text that would begin a log line of its own, or control the terminal of a reader of the log. */
const forged = '\r\n{"level":30,"time":1,"msg":"admin logged in"}\n\u001b[2J\u009b31m\u202e'

test('A25: no input forges a line in the log or the audit, or acts in a terminal that shows them', async () => {
  const hub = await startHub({ config: { logLevel: 'trace' } })
  const { token } = await hub.join('ana')
  const admin = { token: hub.adminToken }
  const inHeader = 'x{"level":30,"msg":"admin logged in"}'
  await raw(hub, { path: '/v1/messages', token, body: { to: 'ana', body: forged } })
  await raw(hub, { path: '/v1/messages', token, body: { to: forged, body: 'x' } })
  await raw(hub, { path: '/v1/messages', token, body: { to: 'ana', body: 'x', [forged]: 1 } })
  await raw(hub, { path: '/v1/presence', token, body: { session: forged, client: forged } })
  await raw(hub, { path: '/v1/admin/invites', ...admin, body: { name: forged } })
  await raw(hub, { path: '/v1/admin/members/ana/rename', ...admin, body: { to: forged } })
  await raw(hub, { path: `/v1/admin/members/${encodeURIComponent(forged)}/revoke`, ...admin, method: 'POST' })
  await raw(hub, { path: `/nowhere/${encodeURIComponent(forged)}` })
  await raw(hub, { path: '/v1/inbox', headers: { 'user-agent': inHeader, authorization: `Bearer ${inHeader}` } })

  const { lines } = await hub.client(hub.adminToken).call(api.listAudit, { query: {} })
  expect(JSON.stringify(lines)).not.toContain('admin logged in')
  const audit = await (await startMachine(hub, 'ben')).run(['audit', '--data', hub.dataDir])
  expect(audit.stdout).toContain('login')
  for (const text of [hub.log, audit.stdout]) {
    expect(text).not.toMatch(/(?!\n)\p{Cc}|\u202e/u)
    expect(text).not.toContain('\n{"level":30,"time":1,')
  }
  // Each line is one record, written by the hub.
  for (const line of hub.log.trimEnd().split('\n')) expect(JSON.parse(line)).toMatchObject({ pid: hub.pid })
})

test('A28: with any umask the files of the hub are accessible to its user only, and a data directory open to others is closed', async () => {
  const dataDir = join(tempDir('modes'), 'data')
  mkdirSync(dataDir)
  chmodSync(dataDir, 0o777)
  const hub = await startHub({ dataDir, wrapper: ['sh', '-c', 'umask 000; exec "$0" "$@"'] })
  const { client } = await hub.join('ana')
  await client.call(api.sendMessage, { body: { to: 'ana', body: 'secret' } })
  expect(readdirSync(dataDir)).toEqual(expect.arrayContaining(['admin.token', 'audit.db', 'hub.db', 'hub.db-wal']))
  const modes = readdirSync(dataDir).map(name => [name, (statSync(join(dataDir, name)).mode & 0o777).toString(8)])
  expect(modes).toEqual(modes.map(([name]) => [name, '600']))
  expect((statSync(dataDir).mode & 0o777).toString(8)).toBe('700')
})
