import { mkdirSync, writeFileSync } from 'node:fs'
import { beforeAll, describe, expect, test } from 'vitest'
import { api } from '../../src/protocol/api.ts'
import { newMessageId } from '../../src/protocol/ids.ts'
import type { Route } from '../../src/protocol/routes/route.ts'
import { mintToken } from '../../src/protocol/token.ts'
import { startHub, type TestMember } from '../support/hub.ts'
import { Listener } from '../support/listener.ts'
import { startMachine } from '../support/machine.ts'
import { errorOf, raw } from '../support/raw.ts'
import { expectRefused, traces } from '../support/refused.ts'
import { sharedHub } from '../support/shared-hub.ts'

const hub = sharedHub()
let ana: TestMember
let ben: TestMember
let eve: TestMember

beforeAll(async () => {
  ;[ana, ben, eve] = [await hub.join('ana'), await hub.join('ben'), await hub.join('eve')]
})

const json = { 'content-type': 'application/json' }

async function sent(from: TestMember, to: TestMember, body = 'hello'): Promise<string> {
  return (await from.client.call(api.sendMessage, { body: { to: to.name, body } })).id
}

/** Returns the unread messages of `member`. */
async function unread(member: TestMember): Promise<string[]> {
  return (await member.client.call(api.readInbox)).messages.map(({ id }) => id)
}

describe('A01: requests without a valid token', () => {
  const routes = Object.entries(api as Record<string, Route>).filter(([, { audience }]) => Array.isArray(audience))
  const wrong: Record<string, (token: string) => string | undefined> = {
    nothing: () => undefined,
    'an empty header': () => '',
    'the bare scheme': () => 'Bearer',
    'Basic with the token': token => `Basic ${Buffer.from(`ana:${token}`).toString('base64')}`,
    'the token in lower case': token => `Bearer ${token.toLowerCase()}`,
    'the token and more': token => `Bearer ${token}x`,
    'half a token': token => `Bearer ${token.slice(0, -10)}`,
    'another scheme': token => `Token ${token}`,
    'a token of another hub': () => `Bearer ${mintToken('machine')}`,
    "an admin's token of another hub": () => `Bearer ${mintToken('admin')}`,
    'a JSON web token': () => 'Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhZG1pbiJ9.',
  }

  test.each(Object.keys(wrong))(
    'A01: with %s every route of the table that is not public responds with 401',
    async kind => {
      expect(routes.length).toBeGreaterThan(10)
      const before = await traces(hub)
      for (const [name, { method, path }] of routes) {
        const authorization = wrong[kind]!(ana.token)
        const headers: Record<string, string> = authorization === undefined ? {} : { authorization }
        const answer = await raw(hub, { method, path: path.replaceAll(/:\w+/g, 'ben'), headers })
        expect([name, answer.status, answer.headers['www-authenticate']]).toEqual([name, 401, 'Bearer'])
        expect(errorOf(answer).code).toBe('unauthorized')
        expect(answer.text).not.toMatch(/ana|ben/)
      }
      expect(await traces(hub, before)).toEqual(before)
    },
  )

  test('A01: the same requests with a valid token are authenticated', async () => {
    for (const [name, { method, path, audience }] of routes) {
      if (name === 'events') continue
      const token = (audience as string[]).includes('machine') ? ana.token : hub.adminToken
      const answer = await raw(hub, { method, path: path.replaceAll(/:\w+/g, 'nobody-here'), token })
      expect([name, answer.status]).not.toEqual([name, 401])
    }
  })
})

test.each([{ from: 'ben' }, { from: 'admin' }, { from: 'human:chas' }, { from: 'ana' }, { from: null }])(
  'A02: a send with %j is refused; without it the sender is the owner of the token',
  async more => {
    const body = JSON.stringify({ to: 'eve', body: 'claimed', ...more })
    await expectRefused(
      hub,
      { path: '/v1/messages', token: ana.token, headers: json, body },
      'forbidden',
      /must not carry 'from'/,
    )
    const id = await sent(ana, eve)
    const { messages } = await eve.client.call(api.readInbox)
    expect(messages.find(message => message.id === id)).toMatchObject({ from: 'ana', fromKind: 'machine' })
  },
)

test('A02: headers that claim another name have no effect', async () => {
  const claims = ['x-user', 'x-forwarded-user', 'x-remote-user', 'from', 'x-machine', 'x-claude-net-machine']
  const headers = Object.fromEntries(claims.map(name => [name, 'ben']))
  const id = newMessageId()
  const body = { id, to: 'eve', body: 'claimed' }
  expect(await raw(hub, { path: '/v1/messages', token: ana.token, headers, body })).toMatchObject({ status: 201 })
  expect((await eve.client.call(api.getMessage, { params: { id } })).message).toMatchObject({ from: 'ana' })
})

describe('A03: the inbox of another member', () => {
  test.each([
    '/v1/inbox?machine=ben',
    '/v1/inbox?name=ben',
    '/v1/inbox?member=2',
    '/v1/inbox?limit=1&limit=2',
    '/v1/inbox/ben',
    '/v1/events?machine=ben',
    '/v1/messages?with=eve&as=ben',
  ])('A03: cannot be read with %s', async path => {
    await sent(ana, ben, 'for ben only')
    const answer = await raw(hub, { path, token: eve.token })
    expect([400, 404]).toContain(answer.status)
    expect(answer.text).not.toContain('for ben only')
  })

  test('A03: cannot be acked, fetched, read or followed by others, only by its owner', async () => {
    const id = await sent(ana, ben, 'for ben only')
    const [foreign, missing] = [id, newMessageId()]
    const look = (token: string, id: string) => raw(hub, { path: `/v1/messages/${id}`, token })
    const [seen, unseen] = [await look(eve.token, foreign), await look(eve.token, missing)]
    expect([seen.status, seen.text.replaceAll(foreign, missing)]).toEqual([404, unseen.text])
    const ack = await eve.client.call(api.ackInbox, { body: { ids: [foreign, missing] } })
    expect(ack).toMatchObject({ acked: [], unknown: [foreign, missing] })
    const fetched = { ids: [foreign], session: 'eve' }
    expect(await eve.client.call(api.markFetched, { body: fetched })).toMatchObject({ fetched: [] })
    const reply = (replyTo: string) => {
      const body = JSON.stringify({ to: 'ana', body: 'I am ben', replyTo })
      const headers = { 'content-type': 'application/json' }
      return raw(hub, { method: 'POST', path: '/v1/messages', token: eve.token, headers, body })
    }
    const [toForeign, toMissing] = [await reply(foreign), await reply(missing)]
    expect([toForeign.status, toForeign.text.replaceAll(foreign, missing)]).toEqual([404, toMissing.text])
    expect(await unread(ben)).toContain(id)
    const { receipts } = await ana.client.call(api.getMessage, { params: { id } })
    expect(receipts).toMatchObject([{ name: 'ben', status: 'stored' }])
    const { messages } = await eve.client.call(api.listMessages, { query: { q: 'only' } })
    expect(messages).toEqual([])

    expect(await look(ben.token, id)).toMatchObject({ status: 200 })
    expect(await ben.client.call(api.ackInbox, { body: { ids: [id] } })).toMatchObject({ acked: [id] })
  })

  test('A03: a stream receives nothing that is for others', async () => {
    const listener = await new Listener(eve.client).opened()
    await sent(ana, ben)
    const own = await sent(ana, eve)
    await eve.client.call(api.ackInbox, { body: { ids: (await unread(eve)).filter(id => id !== own) } })
    const ids = new Set(
      (await ana.client.call(api.listMessages, { query: { with: 'ben' } })).messages.map(m => m.message.id),
    )
    await listener.first(1)
    expect(listener.changes.filter(({ data }) => ids.has(data.id))).toEqual([])
  })
})

test.each(['all', 'hub', 'admin', 'system', 'Ana', 'аna', 'a'.repeat(65), '', '..', 'a/b', 'a\0', '-a', 'a-', 'a b'])(
  'A04: no member, alias or group can be named %j, and existing tokens stay valid',
  async name => {
    const admin = { token: hub.adminToken, headers: json }
    const inPath = encodeURIComponent(name)
    const ways = [
      { ...admin, path: '/v1/admin/invites', body: JSON.stringify({ name }) },
      { ...admin, path: '/v1/admin/members/ana/rename', body: JSON.stringify({ to: name }) },
      { ...admin, method: 'PUT', path: `/v1/admin/members/${inPath}`, body: '{}' },
      { ...admin, method: 'PUT', path: `/v1/admin/aliases/${inPath}`, body: JSON.stringify({ member: 'ana' }) },
      { ...admin, method: 'PUT', path: `/v1/admin/groups/${inPath}`, body: JSON.stringify({ members: ['ana'] }) },
    ]
    for (const way of ways) {
      const before = await traces(hub)
      const answer = await raw(hub, way)
      expect([400, 404], `${way.path} ${answer.text}`).toContain(answer.status)
      errorOf(answer)
      expect(await traces(hub, before)).toEqual(before)
    }
    expect(await raw(hub, { path: '/v1/inbox', token: ana.token })).toMatchObject({ status: 200 })
  },
)

test('A04: a name that is taken cannot be given to another member in any way; a free one can', async () => {
  const admin = hub.client(hub.adminToken)
  await admin.call(api.putAlias, { params: { name: 'ana-too' }, body: { member: 'ana' } })
  await admin.call(api.putGroup, { params: { name: 'team' }, body: { members: ['ana'] } })
  for (const taken of ['ben', 'ana-too', 'team']) {
    const rename = admin.call(api.renameMember, { params: { name: 'eve' }, body: { to: taken } })
    await expect(rename).rejects.toMatchObject({ code: 'conflict' })
    if (taken === 'ben') continue
    await expect(admin.call(api.invite, { body: { name: taken } })).rejects.toMatchObject({ code: 'conflict' })
  }
  const human = admin.call(api.invite, { body: { name: 'ben', kind: 'human' } })
  await expect(human).rejects.toMatchObject({ code: 'conflict' })
  for (const name of ['ben', 'team']) {
    const alias = admin.call(api.putAlias, { params: { name }, body: { member: 'eve' } })
    await expect(alias).rejects.toMatchObject({ code: 'conflict' })
  }
  expect((await ben.client.call(api.listMachines)).you).toBe('ben')
  await admin.call(api.putAlias, { params: { name: 'a-free-one' }, body: { member: 'eve' } })
})

test.each<[string, unknown]>([
  ['a number', 1],
  ['a negative number', -1],
  ['a number past 2^53', 2 ** 53 + 2],
  ['a fraction', 1.5],
  ['a text', 'first'],
  ['an object', { $gt: '' }],
  ['null', null],
  ['a list', [[]]],
  ['half an id', '00000000-0000-7000'],
])('A05: an ack of %s is refused, and unread messages stay unread', async (_, id) => {
  const real = await sent(ana, ben)
  const ack = { path: '/v1/inbox/ack', token: ben.token, body: { ids: [real, id] } }
  await expectRefused(hub, ack, 'invalid', /^body\.ids\.1: /)
  expect(await unread(ben)).toContain(real)
  const legal = await ben.client.call(api.ackInbox, { body: { ids: [real, newMessageId()] } })
  expect(legal).toMatchObject({ acked: [real], unknown: [expect.any(String)] })
})

test.each([
  [
    'revoked',
    async (name: string) => void (await hub.client(hub.adminToken).call(api.revokeMember, { params: { name } })),
  ],
  ['replaced by a new invitation', async (name: string) => void (await hub.join(name))],
  [
    'deleted',
    async (name: string) => void (await hub.client(hub.adminToken).call(api.deleteMember, { params: { name } })),
  ],
])('A06: a token that was %s is refused, its streams end within a second, and others continue', async (how, end) => {
  const name = `gone-${how.slice(0, 3)}`
  const gone = await hub.join(name)
  const [stream, other] = [await new Listener(gone.client).opened(), await new Listener(eve.client).opened()]
  expect(await gone.client.call(api.readInbox)).toMatchObject({ unread: 0 })
  await end(name)
  await stream.ended
  for (const [, { method, path }] of Object.entries(api as Record<string, Route>).filter(([, route]) =>
    Array.isArray(route.audience),
  )) {
    expect((await raw(hub, { method, path, token: gone.token })).status).toBe(401)
  }
  const before = other.changes.length
  await sent(ana, eve)
  await other.first(before + 1)
})

test.each<[string, (token: string) => Parameters<typeof raw>[1]]>([
  ['the query', token => ({ path: `/v1/inbox?token=${token}` })],
  ['the query of OAuth', token => ({ path: `/v1/inbox?access_token=${token}` })],
  ['a cookie', token => ({ path: '/v1/inbox', headers: { cookie: `token=${token}; __Host-token=${token}` } })],
  ['the body', token => ({ path: '/v1/inbox/ack', body: { ids: [newMessageId()], token } })],
  ['another header', token => ({ path: '/v1/inbox', headers: { 'x-api-key': token, 'x-token': token } })],
  ["the proxy's header", token => ({ path: '/v1/inbox', headers: { 'proxy-authorization': `Bearer ${token}` } })],
  ['the user of a URL', token => ({ path: '/v1/inbox', headers: { authorization: `Basic ${btoa(`${token}:`)}` } })],
])('A07: a token in %s is ignored', async (_, request) => {
  const answer = await raw(hub, request(ana.token))
  expect(answer.status).toBe(401)
  expect(answer.text).not.toContain(ana.token)
  expect(await raw(hub, { path: '/v1/inbox', token: ana.token })).toMatchObject({ status: 200 })
})

test('A08: a join code does not work as a token, nor a token as a join code', async () => {
  const { code } = await hub.client(hub.adminToken).call(api.invite, { body: { name: 'late' } })
  expect((await raw(hub, { path: '/v1/inbox', token: code })).status).toBe(401)
  const join = { machine: 'late', token: mintToken('machine') }
  expect((await raw(hub, { path: '/v1/join', body: { ...join, code: ana.token.slice(0, 64) } })).status).toBe(401)
  expect(await raw(hub, { path: '/v1/join', body: { ...join, code } })).toMatchObject({ status: 200 })
})

test("A21: tokens of machines and humans have no admin rights, and the admin's token reads no messages", async () => {
  const human = await hub.join('a-human', 'human')
  const admins = Object.entries(api as Record<string, Route>).filter(([, { path }]) => path.startsWith('/v1/admin/'))
  const before = await traces(hub)
  for (const [name, { method, path }] of admins) {
    for (const { token } of [ana, human]) {
      const answer = await raw(hub, { method, path: path.replaceAll(/:\w+/g, 'ben'), token })
      expect([name, answer.status]).toEqual([name, 403])
    }
  }
  const asAdmin = { token: hub.adminToken, body: { to: 'ben', body: 'I am ana' } }
  expect((await raw(hub, { ...asAdmin, path: '/v1/messages' })).status).toBe(403)
  for (const path of ['/v1/inbox', '/v1/events']) {
    expect((await raw(hub, { path, token: hub.adminToken })).status).toBe(403)
  }
  // The admin sees that a message was sent, but not its text.
  const traffic = await raw(hub, { path: '/v1/messages', token: hub.adminToken })
  const { messages } = traffic.json as { messages: { message: { body: string; withheld?: boolean } }[] }
  expect(messages.map(({ message }) => [message.body, message.withheld])).toEqual(messages.map(() => ['', true]))
  expect(await traces(hub, before)).toEqual(before)
  expect(await raw(hub, { path: '/v1/admin/members', token: hub.adminToken })).toMatchObject({ status: 200 })
})

test('A23: a recorded request is useless on another hub, and here after the token was replaced', async () => {
  const other = await startHub()
  await other.join('ana')
  await other.join('ben')
  const old = await hub.join('overheard')
  const request = { path: '/v1/messages', token: old.token, body: { id: newMessageId(), to: 'ben', body: 'once' } }
  expect(await raw(hub, request)).toMatchObject({ status: 201 })
  expect((await raw(other, request)).status).toBe(401)
  // A repetition with the valid token is accepted as the same message.
  expect(await raw(hub, request)).toMatchObject({ status: 200 })
  const renewed = await hub.join('overheard')
  expect((await raw(hub, request)).status).toBe(401)
  expect(await raw(hub, { ...request, token: renewed.token })).toMatchObject({ status: 200 })
})

test('A07: the client sends its token only to the hub in its own config.json, whatever a project or the environment says', async () => {
  const machine = await startMachine(hub, 'careful')
  const project = `${machine.userHome}/project`
  mkdirSync(`${project}/.claude-net`, { recursive: true })
  const hostile = { machine: 'ana', sshHost: 'local', hub: 'http://127.0.0.1:9' }
  writeFileSync(`${project}/.claude-net/config.json`, JSON.stringify(hostile))
  writeFileSync(`${project}/config.json`, JSON.stringify(hostile))
  const proxies = { http_proxy: 'http://127.0.0.1:9', HTTP_PROXY: 'http://127.0.0.1:9', NODE_USE_ENV_PROXY: '1' }
  const ran = await machine.run(['machines', '--json'], { cwd: project, env: proxies })
  expect(ran.code, ran.stderr).toBe(0)
  expect(JSON.parse(ran.stdout)).toMatchObject({ you: 'careful' })
})
