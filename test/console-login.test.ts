import { beforeAll, describe, expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { ConsoleBrowser, linkFor, login, openConsole } from './support/console-session.ts'
import type { TestMember } from './support/hub.ts'
import { errorOf, raw } from './support/raw.ts'
import { sharedHub } from './support/shared-hub.ts'

const hub = sharedHub()
let machine: TestMember
let human: TestMember

beforeAll(async () => {
  machine = await hub.join('machine')
  human = await hub.join('human', 'human')
  await hub.client(hub.adminToken).call(api.putMember, { params: { name: 'machine' }, body: { owner: 'human' } })
})

test('a link opens a session as its requester, and the page is informed who that is', async () => {
  const link = await linkFor(hub, hub.adminToken, 'human')
  expect(link).toMatchObject({ path: `/#in=${link.secret}`, as: { name: 'human', role: 'human' } })
  const answer = await login(hub, link.secret)
  expect(answer).toMatchObject({ status: 201, json: { name: 'human', role: 'human' } })
  const [cookie] = answer.headers['set-cookie']!
  expect(cookie).toMatch(
    new RegExp(`^claude-net-${hub.url.port}=[\\w-]{43}; Path=/; Max-Age=43200; HttpOnly; SameSite=Strict$`),
  )
  const browser = new ConsoleBrowser(hub, answer)
  const me = await browser.ask({ path: '/v1/console' })
  expect(me).toMatchObject({
    status: 200,
    json: { id: browser.session, name: 'human', role: 'human', owns: ['machine'] },
  })
  expect(me.headers['cache-control']).toBe('no-store')
  expect(me.json).toMatchObject({ adminReads: false })
})

test.each([
  ['the admin', () => hub.adminToken, { name: 'admin', role: 'admin' }],
  ['a machine', () => machine.token, { name: 'machine', role: 'machine' }],
  ['a human', () => human.token, { name: 'human', role: 'human' }],
] as const)('%s opens a session with its token, and has its role on the routes', async (_, token, who) => {
  const browser = await openConsole(hub, token())
  expect(await browser.ask({ path: '/v1/console' })).toMatchObject({ status: 200, json: who })
  const inbox = await browser.ask({ path: '/v1/inbox' })
  expect(inbox.status).toBe(who.role === 'admin' ? 403 : 200)
  expect(await browser.ask({ path: '/v1/admin/members' })).toMatchObject({ status: who.role === 'admin' ? 200 : 403 })
})

test('a message sent from the console is from the logged-in member', async () => {
  const browser = await openConsole(hub, hub.adminToken, 'human')
  expect(await browser.ask({ path: '/v1/messages', body: { to: 'machine', body: 'from the console' } })).toMatchObject({
    status: 201,
  })
  const { messages } = await machine.client.call(api.readInbox)
  expect(messages.at(-1)).toMatchObject({ from: 'human', fromKind: 'human', body: 'from the console' })
})

describe('permission to make links', () => {
  test('a machine opens the console as itself, and not as its owner or another member', async () => {
    expect((await linkFor(hub, machine.token)).as).toEqual({ name: 'machine', role: 'machine' })
    expect((await linkFor(hub, machine.token, 'machine')).as.name).toBe('machine')
    await expect(linkFor(hub, machine.token, 'human')).rejects.toMatchObject({
      code: 'forbidden',
      hint: expect.stringContaining('machinesSpeakForOwners'),
    })
    await expect(linkFor(hub, human.token, 'machine')).rejects.toMatchObject({ code: 'forbidden' })
  })

  test('no link is made for an unknown member', async () => {
    await expect(linkFor(hub, hub.adminToken, 'humna')).rejects.toMatchObject({
      code: 'not_found',
      hint: expect.stringContaining('human'),
    })
    await expect(linkFor(hub, machine.token, 'humna')).rejects.toMatchObject({ code: 'forbidden' })
  })

  test('a session cannot make links: otherwise a stolen one would never end', async () => {
    const browser = await openConsole(hub, hub.adminToken)
    const answer = await browser.ask({ path: '/v1/console/links', body: {} })
    expect(errorOf(answer)).toMatchObject({ code: 'forbidden' })
  })
})

test('sessions are listed and ended: by each member its own, by the admin all', async () => {
  const [mine, other] = [await openConsole(hub, human.token), await openConsole(hub, machine.token)]
  const own = await mine.ask({ path: '/v1/console/sessions' })
  const { sessions } = own.json as { sessions: { id: string; name: string; current: boolean }[] }
  expect(new Set(sessions.map(({ name }) => name))).toEqual(new Set(['human']))
  expect(sessions.find(({ id }) => id === mine.session)).toMatchObject({
    current: true,
    address: '127.0.0.1',
    browser: 'Firefox 141',
  })
  const refused = await mine.ask({ path: `/v1/console/sessions/${other.session}`, method: 'DELETE' })
  expect(errorOf(refused)).toMatchObject({ code: 'not_found' })

  const admin = hub.client(hub.adminToken)
  const all = await admin.call(api.consoleSessions)
  expect(all.sessions.map(({ id }) => id)).toEqual(expect.arrayContaining([mine.session, other.session]))
  expect(await admin.call(api.consoleRevoke, { params: { id: other.session } })).toEqual({ closed: [other.session] })
  expect(errorOf(await other.ask({ path: '/v1/console' })).code).toBe('unauthorized')
  expect(await mine.ask({ path: '/v1/console' })).toMatchObject({ status: 200 })

  expect((await admin.call(api.consoleRevoke, { params: { id: 'all' } })).closed).toContain(mine.session)
  expect((await admin.call(api.consoleSessions)).sessions).toEqual([])
})

test('a logout ends the session and deletes the cookie; copies of it open nothing', async () => {
  const browser = await openConsole(hub, human.token)
  const answer = await browser.ask({ path: '/v1/console', method: 'DELETE' })
  expect(answer).toMatchObject({ status: 200, json: { closed: [browser.session] } })
  expect(answer.headers['set-cookie']![0]).toContain('Max-Age=0')
  expect(await browser.ask({ path: '/v1/console' })).toMatchObject({ status: 401 })
  expect(await browser.ask({ path: '/v1/inbox' })).toMatchObject({ status: 401 })
})

test('the use of links and the end of sessions are audited, without their secrets', async () => {
  const { secret } = await linkFor(hub, hub.adminToken, 'human')
  const browser = new ConsoleBrowser(hub, await login(hub, secret))
  await login(hub, secret)
  await browser.ask({ path: '/v1/console', method: 'DELETE' })
  const answer = await raw(hub, { path: '/v1/admin/audit?limit=4', token: hub.adminToken })
  const { lines } = answer.json as { lines: Record<string, unknown>[] }
  const tokenId = `console-${browser.session}`
  expect(lines.toReversed()).toMatchObject([
    { action: 'consoleLink', actor: 'admin', target: 'human', result: 'ok' },
    { action: 'consoleLogin', actor: 'human', tokenId, result: 'ok' },
    { action: 'consoleLogin', actor: null, result: 'unauthorized' },
    { action: 'consoleLogout', actor: 'human', tokenId, result: 'ok' },
  ])
  for (const secretOne of [secret, browser.tab, browser.cookie.split('=')[1]!])
    expect(answer.text).not.toContain(secretOne)
})
