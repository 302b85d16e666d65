import { readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { mintToken, parseToken } from '../src/protocol/token.ts'
import { daySeconds, passingClock } from './support/clock.ts'
import { startHub, type TestHub } from './support/hub.ts'
import { startMachine, type TestMachine } from './support/machine.ts'
import { run } from './support/program.ts'
import { errorOf, raw } from './support/raw.ts'
import { sharedHub } from './support/shared-hub.ts'
import { until } from './support/until.ts'

vi.setConfig({ testTimeout: 180_000 })

const tokenOf = ({ home }: TestMachine) => readFileSync(join(home, 'token'), 'utf8').trim()
const leftovers = ({ home }: TestMachine) => readdirSync(home).filter(name => name.startsWith('token.next'))
const nextFile = (machine: TestMachine, token: string) => join(machine.home, `token.next-${parseToken(token)!.id}`)
const asks = (hub: TestHub, token: string) => raw(hub, { path: '/v1/inbox', token })

test('a machine renews its token in time, whatever interruptions occur; one that is too late is told what to do', async context => {
  const clock = passingClock(context)
  let day = 0
  const pass = (days: number) => {
    day += days
    clock.step(day * daySeconds)
  }
  const hub = await startHub({ env: clock.env, config: { limits: { failures: { perMinute: 1, burst: 3 } } } })
  const admin = hub.client(hub.adminToken)
  const [sean, lost] = [await startMachine(hub, 'sean'), await startMachine(hub, 'lost')]
  const [cut, away] = [await startMachine(hub, 'cut'), await startMachine(hub, 'away')]
  const first = tokenOf(sean)
  await expect(admin.call(api.putSettings, { body: { tokenDays: 30 } })).resolves.toMatchObject({ tokenDays: 30 })
  expect((await sean.run(['inbox'])).code).toBe(0)
  expect(tokenOf(sean)).toBe(first)

  pass(16)
  // Two sessions and several commands run concurrently.
  const { call } = await sean.mcp()
  await Promise.all([call('inbox'), sean.run(['inbox']), sean.run(['machines']), sean.run(['send', 'away', 'hello'])])
  await until('the token is renewed', () => tokenOf(sean) !== first)
  const second = tokenOf(sean)
  expect(leftovers(sean)).toEqual([])
  expect((await asks(hub, first)).status).toBe(200)
  const details = (await admin.call(api.listMembers)).members.find(({ name }) => name === 'sean')!
  expect(details.tokens.map(({ id, isReplaced }) => [id, isReplaced])).toEqual([
    [parseToken(first)!.id, true],
    [parseToken(second)!.id, false],
  ])
  // State after a kill when the new token was on disk, but the hub had not received it.
  const [early, next] = [tokenOf(lost), mintToken('machine')]
  writeFileSync(nextFile(lost, early), `${next}\n`, { mode: 0o600 })
  expect((await lost.run(['inbox'])).code).toBe(0)
  expect([tokenOf(lost), leftovers(lost)]).toEqual([next, []])
  // State after a kill when the hub had received it. The machine then sleeps until the old token has ended.
  const [old, known] = [tokenOf(cut), mintToken('machine')]
  writeFileSync(nextFile(cut, old), `${known}\n`, { mode: 0o600 })
  await hub.client(old).call(api.renewToken, { body: { token: known } })

  pass(2)
  await until('the old tokens have ended', async () => (await asks(hub, first)).status === 401)
  const refused = await asks(hub, first)
  expect(errorOf(refused)).toMatchObject({ code: 'unauthorized', message: expect.stringMatching(/sean was renewed/) })
  expect((await call('machines')).isError).toBe(false)
  expect((await cut.run(['inbox'])).code).toBe(0)
  expect([tokenOf(cut), leftovers(cut)]).toEqual([known, []])

  // If Claude Code uses the hub directly, no client renews the token: the member is notified.
  pass(6)
  const machines = {
    jsonrpc: '2.0',
    id: 1,
    method: 'tools/call',
    params: { name: 'claude_net_machines', arguments: {} },
  }
  const headers = { accept: 'application/json, text/event-stream', 'mcp-protocol-version': '2025-11-25' }
  const byHttp = () => raw(hub, { path: '/mcp', token: tokenOf(away), headers, body: machines })
  expect((await byHttp()).text).toMatch(/The token of away ends in 5 days.*claude-net doctor/)

  pass(7)
  await until('the end of the token', async () => (await asks(hub, tokenOf(away))).status === 401)
  const lateToken = tokenOf(away)
  const late = await away.run(['inbox'])
  expect(late.code).toBe(1)
  expect(late.stderr).toMatch(/token of away reached the age .*\n.*claude-net invite away/)
  // The hub also proves itself by a token that has ended.
  expect((await away.run(['pin'])).code).toBe(0)
  // Any number of attempts is allowed: they show a complete token, so they are not guesses.
  for (let n = 0; n < 5; n++) expect(errorOf(await asks(hub, lateToken)).code).toBe('unauthorized')
  const { stdout } = await run(['members', '--data', hub.dataDir])
  expect(stdout).toMatch(/away .*its token ended by age/)
  expect(stdout).toMatch(/sean .*days old/)
  const { lines } = await admin.call(api.listAudit, { query: { action: 'renewToken' } })
  // The machine that was killed in between has requested it twice.
  expect(lines.map(({ actor }) => actor).sort()).toEqual(['cut', 'cut', 'lost', 'sean'])
  // Its inbox is kept for the new token.
  const { code } = await admin.call(api.invite, { body: { name: 'away' } })
  const token = mintToken('machine')
  await hub.client().call(api.join, { body: { code, machine: 'away', token } })
  expect((await hub.client(token).call(api.readInbox)).messages).toMatchObject([{ body: 'hello' }])
})

const hub = sharedHub()

test('members shows the age and the last use of tokens, even after a restart of the hub', async () => {
  const ana = await hub.join('ana')
  const idle = await hub.join('idle')
  await ana.client.call(api.readInbox)
  const admin = hub.client(hub.adminToken)
  const tokens = async (name: string) =>
    (await admin.call(api.listMembers)).members.find(each => each.name === name)!.tokens
  expect(await tokens('ana')).toMatchObject([{ id: parseToken(ana.token)!.id, endsAt: null, isReplaced: false }])
  expect(Date.now() - Date.parse((await tokens('ana'))[0]!.lastUsedAt!)).toBeLessThan(60_000)
  expect((await tokens('idle'))[0]).toMatchObject({ id: parseToken(idle.token)!.id, lastUsedAt: null })
  const { stdout } = await run(['members', '--data', hub.dataDir])
  expect(stdout).toMatch(/NAME +KIND +OWNER +UNREAD +TOKEN +LAST USE +STATE/)
  expect(stdout).toMatch(/ana .* \d+ s old +just now/)
  expect(stdout).toMatch(/idle .* \d+ s old +never/)
  const used = (await tokens('ana'))[0]!.lastUsedAt
  await hub.stop()
  await hub.start()
  expect((await tokens('ana'))[0]!.lastUsedAt).toBe(used)
})

test("a hub restored to a time before a renewal accepts the machine's new token", async () => {
  const machine = await startMachine(hub, 'restored')
  const [first, second] = [tokenOf(machine), mintToken('machine')]
  // State after a renewal that the hub has lost.
  writeFileSync(join(machine.home, 'token.before'), `${first}\n`, { mode: 0o600 })
  writeFileSync(join(machine.home, 'token'), `${second}\n`, { mode: 0o600 })
  expect((await machine.run(['inbox'])).code).toBe(0)
  expect(tokenOf(machine)).toBe(second)
  expect((await asks(hub, second)).status).toBe(200)
})
