import { readdirSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import type { AuditLine, AuditQuery } from '../src/protocol/audit.ts'
import { mintToken, parseToken } from '../src/protocol/token.ts'
import { startHub, type TestHub } from './support/hub.ts'
import { run } from './support/program.ts'
import { raw } from './support/raw.ts'
import { until } from './support/until.ts'

async function auditOf(hub: TestHub, query: Partial<AuditQuery> = {}): Promise<AuditLine[]> {
  return (await hub.client(hub.adminToken).call(api.listAudit, { query })).lines
}

/** Returns everything that the hub writes besides the store: the audit, as text and as its file, and the log. */
async function written(hub: TestHub): Promise<string> {
  const audit = JSON.stringify(await auditOf(hub))
  const files = readdirSync(hub.dataDir).filter(name => name.startsWith('audit.'))
  expect(files).toContain('audit.db')
  const onDisk = files.map(name => readFileSync(join(hub.dataDir, name)).toString('latin1'))
  return [audit, ...onDisk, hub.log, (await raw(hub, { path: '/metrics' })).text].join('\n')
}

test('every action of the admin is recorded with actor, token, address, action, target, details and result', async () => {
  const hub = await startHub()
  const alpha = await hub.join('alpha')
  const admin = hub.client(hub.adminToken)
  await admin.call(api.putMember, { params: { name: 'sean' }, body: { kind: 'human' } })
  await admin.call(api.putMember, { params: { name: 'alpha' }, body: { owner: 'sean' } })
  await admin.call(api.putAlias, { params: { name: 'laptop' }, body: { member: 'alpha' } })
  await admin.call(api.putGroup, { params: { name: 'backend' }, body: { members: ['alpha'] } })
  await admin.call(api.renameMember, { params: { name: 'alpha' }, body: { to: 'omega' } })
  await admin.call(api.rotateMember, { params: { name: 'omega' } })
  await admin.call(api.revokeMember, { params: { name: 'omega' } })
  await admin.call(api.deleteMember, { params: { name: 'omega' } })
  await expect(admin.call(api.revokeMember, { params: { name: 'omega' } })).rejects.toThrow()
  const lines = (await auditOf(hub)).reverse()
  expect(lines.map(({ action, target, detail, result }) => [action, target, detail, result])).toEqual([
    ['invite', 'alpha', 'kind=machine', 'ok'],
    ['join', 'alpha', null, 'ok'],
    ['putMember', 'sean', 'kind=human', 'ok'],
    ['putMember', 'alpha', 'owner=sean', 'ok'],
    ['putAlias', 'laptop', 'member=alpha', 'ok'],
    ['putGroup', 'backend', 'members=alpha', 'ok'],
    ['renameMember', 'alpha', 'to=omega', 'ok'],
    ['rotateMember', 'omega', null, 'ok'],
    ['revokeMember', 'omega', null, 'ok'],
    ['deleteMember', 'omega', null, 'ok'],
    ['revokeMember', 'omega', null, 'not_found'],
  ])
  for (const { action, actor, tokenId, address } of lines) {
    const [name, token] = action === 'join' ? ['alpha', alpha.token] : ['admin', hub.adminToken]
    expect([actor, tokenId, address]).toEqual([name, parseToken(token)!.id, '127.0.0.1'])
  }
})

test('each attack is recorded', async () => {
  const hub = await startHub()
  const alpha = await hub.join('alpha')
  const revoked = await hub.join('revoked')
  await hub.client(hub.adminToken).call(api.revokeMember, { params: { name: 'revoked' } })
  const used = await hub.client(hub.adminToken).call(api.invite, { body: { name: 'beta' } })
  const join = (code: string, machine: string) =>
    raw(hub, { path: '/v1/join', body: { code, machine, token: mintToken('machine') } })
  const last = (await auditOf(hub))[0]!.id

  const stranger = mintToken('machine')
  await raw(hub, { path: '/v1/inbox', token: stranger })
  await raw(hub, { path: '/v1/inbox', token: revoked.token })
  await raw(hub, { path: '/v1/inbox', token: 'clnt_garbage' })
  await raw(hub, { path: '/v1/inbox' })
  await join('AAAA-BBBB-CCCC-DDDD', 'beta')
  await join(used.code, 'alpha')
  await join(used.code, 'beta')
  await join(used.code, 'beta')
  await raw(hub, { path: '/v1/admin/members/alpha/revoke', token: alpha.token, method: 'POST' })
  await raw(hub, { path: '/v1/inbox', token: hub.adminToken })
  await raw(hub, { path: '/v1/messages', token: alpha.token, body: { from: 'beta', to: 'beta', body: 'x' } })
  await raw(hub, { path: '/v1/inbox', token: alpha.token, headers: { origin: 'http://evil.example' } })
  await raw(hub, { path: '/v1/inbox', token: alpha.token, headers: { host: 'evil.example' } })

  const lines = (await auditOf(hub)).filter(({ id }) => id > last).reverse()
  const id = (token: string) => parseToken(token)!.id
  expect(lines.map(({ action, actor, tokenId, target, result }) => [action, actor, tokenId, target, result])).toEqual([
    ['login', null, id(stranger), null, 'unauthorized'],
    ['login', null, id(revoked.token), null, 'unauthorized'],
    ['login', null, null, null, 'unauthorized'],
    ['login', null, null, null, 'unauthorized'],
    ['join', null, expect.any(String), 'beta', 'unauthorized'],
    ['join', null, expect.any(String), 'alpha', 'forbidden'],
    ['join', 'beta', expect.any(String), 'beta', 'ok'],
    ['join', null, expect.any(String), 'beta', 'unauthorized'],
    ['revokeMember', 'alpha', id(alpha.token), 'alpha', 'forbidden'],
    ['readInbox', 'admin', id(hub.adminToken), null, 'forbidden'],
    ['sendMessage', 'alpha', id(alpha.token), null, 'forbidden'],
    ['readInbox', null, id(alpha.token), null, 'forbidden'],
    ['readInbox', null, id(alpha.token), null, 'forbidden'],
  ])
})

test('A25: no token, join code or text of a message appears in audit, log or metrics, wherever it was submitted', async () => {
  const hub = await startHub({ config: { logLevel: 'trace' } })
  const alpha = await hub.join('alpha')
  const { code } = await hub.client(hub.adminToken).call(api.invite, { body: { name: 'beta' } })
  const forgotten = mintToken('machine')
  const text = 'the-text-of-a-message'
  const { token } = alpha
  await raw(hub, { path: '/v1/messages', token, body: { to: 'alpha', body: text } })
  await raw(hub, { path: '/v1/messages', token, body: { to: 'alpha', body: text, from: 'alpha' } })
  await raw(hub, { path: '/v1/messages', token: forgotten, body: { to: 'alpha', body: text } })
  await raw(hub, { path: '/v1/join', body: { code, machine: code.toLowerCase(), token: forgotten } })
  await raw(hub, { path: '/v1/join', body: { code, machine: 'other', token: forgotten } })
  await raw(hub, { path: '/v1/join', body: { code: forgotten.slice(0, 60), machine: forgotten.slice(0, 60), token } })
  await raw(hub, { path: `/v1/admin/members/${hub.adminToken}/revoke`, token, method: 'POST' })
  await raw(hub, { path: `/v1/inbox?token=${forgotten}` })
  await raw(hub, { path: `/join/${code}` })
  await raw(hub, { path: `/nothing/${code}/${forgotten}` })
  await raw(hub, {
    path: '/v1/admin/aliases/nick',
    method: 'PUT',
    token: hub.adminToken,
    body: { member: forgotten, body: text },
  })
  await raw(hub, { path: '/v1/join', body: { code, machine: 'beta', token: forgotten } })
  const all = await written(hub)
  const secrets = [token, forgotten, hub.adminToken].flatMap(token => [token, token.split('_')[3]!])
  for (const secret of [...secrets, code, code.toLowerCase(), text]) expect(all.includes(secret), secret).toBe(false)
  // The text did reach the hub: it is in the store.
  expect(await alpha.client.call(api.readInbox)).toMatchObject({ messages: [{ body: text }] })
  expect(all).toContain(parseToken(token)!.id)
})

test('A09: a flood of failed logins writes a bounded number of lines, counts the rest, and hides no action of the admin', async () => {
  const hub = await startHub()
  await hub.join('alpha')
  const guesses = Array.from({ length: 1500 }, () => mintToken('machine'))
  for (let at = 0; at < guesses.length; at += 50) {
    await Promise.all(guesses.slice(at, at + 50).map(token => raw(hub, { path: '/v1/inbox', token })))
  }
  const { text } = await raw(hub, { path: '/metrics' })
  const metric = (name: string) => Number(new RegExp(`^${name} (\\d+)$`, 'm').exec(text)![1])
  expect(metric('claude_net_failed_logins_total')).toBe(1500)
  const admin = hub.client(hub.adminToken)
  const count = async () => {
    const { lines, more } = await admin.call(api.listAudit, { query: { action: 'login' } })
    return lines.length + more
  }
  const lines = await count()
  expect(lines).toBeGreaterThan(0)
  expect(lines).toBeLessThanOrEqual(60)
  expect(lines + metric('claude_net_audit_unwritten_total')).toBe(1500)
  expect(await auditOf(hub, { action: 'invite' })).toMatchObject([{ target: 'alpha' }])
  // Counted lines are written when the hub stops, if not before.
  await hub.stop()
  await hub.start()
  expect(await auditOf(hub, { action: 'flood' })).toMatchObject([{ count: 1500 - lines, result: 'rate_limited' }])
})

test('lines are written within a second and survive a kill unchanged', async () => {
  const hub = await startHub()
  await hub.join('alpha')
  const file = join(hub.dataDir, 'audit.db-wal')
  // Reading the audit would write the pending lines, so only the file is read.
  await until('the line is on disk', () => readFileSync(file).toString('latin1').includes('alpha'))
  await hub.crashAndRestart()
  expect((await auditOf(hub)).map(({ action, target }) => [action, target])).toEqual([
    ['join', 'alpha'],
    ['invite', 'alpha'],
  ])
  expect(statSync(join(hub.dataDir, 'audit.db')).mode & 0o777).toBe(0o600)
})

test('claude-net audit filters by actor, action, target and time, newest first, as a table or as JSON', async () => {
  const hub = await startHub()
  await hub.join('alpha')
  await hub.join('beta')
  await raw(hub, { path: '/v1/inbox', token: mintToken('machine') })
  const audit = (...args: string[]) => run(['audit', ...args, '--data', hub.dataDir])
  const actions = async (...args: string[]) => {
    const { lines } = JSON.parse((await audit(...args, '--json')).stdout) as { lines: AuditLine[] }
    return lines.map(({ action, target }) => `${action} ${target}`)
  }
  expect(await actions()).toEqual(['login null', 'join beta', 'invite beta', 'join alpha', 'invite alpha'])
  expect(await actions('--actor', 'admin')).toEqual(['invite beta', 'invite alpha'])
  expect(await actions('--target', 'beta', '--action', 'join')).toEqual(['join beta'])
  expect(await actions('--since', '1h', '--limit', '1')).toEqual(['login null'])
  expect(await actions('--since', '2999-01-01T00:00:00Z')).toEqual([])
  const { stdout } = await audit('--limit', '2')
  expect(stdout).toMatch(/^TIME +ACTOR +ACTION +TARGET +RESULT/)
  expect(stdout).toMatch(/ beta +join +beta +ok +[0-9A-Za-z]{8} +127\.0\.0\.1/)
  const [, before] = /3 more: --before (\d+)/.exec(stdout)!
  expect(await actions('--before', before!)).toEqual(['invite beta', 'join alpha', 'invite alpha'])
  expect(await audit('--since', 'yesterday')).toMatchObject({ code: 2, stderr: expect.stringContaining('not a time') })
})
