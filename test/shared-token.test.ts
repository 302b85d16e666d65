import { readFileSync } from 'node:fs'
import { hostname } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { startHub } from './support/hub.ts'
import { startMachine } from './support/machine.ts'
import { run } from './support/program.ts'
import { raw } from './support/raw.ts'

test('a token used on a second host is audited, and shown there and to the admin only', async () => {
  const hub = await startHub()
  const [machine, other] = [await startMachine(hub, 'sean'), await hub.join('other')]
  const admin = hub.client(hub.adminToken)
  const token = readFileSync(join(machine.home, 'token'), 'utf8').trim()
  const copy = () => raw(hub, { path: '/v1/inbox', token, headers: { 'claude-net-host': '0123456789abcdef ct-102' } })
  expect(await machine.run(['machines'])).toMatchObject({ stdout: expect.not.stringContaining('Note') })
  await copy()
  // A single change of host may be a machine that moved.
  expect((await admin.call(api.listMembers)).sharedTokens).toEqual([])
  await machine.run(['inbox'])
  await copy()

  const shown = /the token of sean is used from two hosts at once \(.*ct-102 \(127\.0\.0\.1\)/
  const doctor = await machine.run(['doctor'])
  expect(doctor.stdout).toMatch(shown)
  expect(doctor.stdout).toContain(hostname().slice(0, 64))
  expect(doctor.stdout).toMatch(/claude-net revoke sean/)
  expect((await machine.run(['machines'])).stdout).toMatch(shown)
  expect((await run(['members', '--data', hub.dataDir])).stdout).toMatch(shown)
  expect((await other.client.call(api.listMachines)).sharedTokens).toEqual([])
  const { lines } = await admin.call(api.listAudit, { query: { action: 'sharedToken' } })
  expect(lines).toMatchObject([
    { actor: 'sean', target: 'sean', tokenId: expect.any(String), detail: expect.stringContaining('ct-102') },
  ])
})

test('sessions and commands of one machine count as one host', async () => {
  const hub = await startHub()
  const machine = await startMachine(hub, 'sean')
  const [one, two] = [await machine.mcp(), await machine.mcp()]
  for (let n = 0; n < 3; n++) {
    await one.call('inbox')
    await machine.run(['inbox'])
    await two.call('machines')
  }
  expect((await hub.client(hub.adminToken).call(api.listMembers)).sharedTokens).toEqual([])
})
