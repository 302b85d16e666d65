import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import type { SendRequest } from '../src/protocol/messages.ts'
import { startHub, type TestMember } from './support/hub.ts'
import { Listener } from './support/listener.ts'
import { errorOf, raw } from './support/raw.ts'
import { sharedHub } from './support/shared-hub.ts'

const hub = sharedHub()
let made = 0

/** Joins a machine with a unique name. */
const machine = (start: string) => hub.join(`${start}${++made}`)

function beat({ client }: TestMember, session: string, project?: string) {
  return client.call(api.heartbeat, { body: { session, client: 'test/1', project } })
}

function send({ client }: TestMember, body: SendRequest) {
  return client.call(api.sendMessage, { body })
}

async function inbox({ client }: TestMember, project?: string) {
  const { messages, unread, more, elsewhere } = await client.call(api.readInbox, { query: { project } })
  return { bodies: messages.map(({ body }) => body), unread, more, elsewhere }
}

test('a project is an address once a session of it was seen, and only its sessions see its messages', async () => {
  const [ana, ben] = [await machine('ana'), await machine('ben')]
  await expect(send(ana, { to: `${ben.name}/shop`, body: 'too early' })).rejects.toMatchObject({ code: 'not_found' })
  await beat(ben, 's1', 'shop')
  await beat(ben, 's2', 'billing')
  const sent = await send(ana, { to: ` ${ben.name.toUpperCase()} / Billing `, body: 'for billing' })
  expect(sent.recipients).toEqual([
    {
      name: ben.name,
      kind: 'machine',
      status: 'stored',
      online: true,
      lastSeenAt: expect.any(String),
      project: 'billing',
      projectSessions: 1,
      projectLastSeenAt: expect.any(String),
      sessions: 2,
    },
  ])
  await send(ana, { to: ben.name, body: 'for whoever reads' })

  const elsewhere = [{ project: 'billing', unread: 1 }]
  expect(await inbox(ben, 'shop')).toEqual({ bodies: ['for whoever reads'], unread: 1, more: 0, elsewhere })
  expect(await inbox(ben, '')).toEqual({ bodies: ['for whoever reads'], unread: 1, more: 0, elsewhere })
  const both = { bodies: ['for billing', 'for whoever reads'], unread: 2, more: 0, elsewhere: undefined }
  expect(await inbox(ben, 'billing')).toEqual(both)
  expect(await inbox(ben)).toEqual(both)
  const { messages } = await ben.client.call(api.readInbox)
  expect(messages.map(({ project }) => project)).toEqual(['billing', undefined])
  expect((await ben.client.call(api.readInbox, { query: { project: 'billing', limit: 1 } })).more).toBe(1)
  expect(await beat(ben, 's1', 'shop')).toMatchObject({ unread: 1 })
  expect(await beat(ben, 's3', '')).toMatchObject({ unread: 1 })
  expect(await beat(ben, 's4')).toMatchObject({ unread: 2 })

  const ids = [sent.id]
  const of = (project: string) => ({ body: { ids, session: 's1', project } })
  expect(await ben.client.call(api.markFetched, of('shop'))).toEqual({ fetched: [], unknown: ids })
  expect(await ben.client.call(api.ackInbox, { body: { ids, project: 'shop' } })).toEqual({
    acked: [],
    unknown: ids,
    unread: 1,
  })
  expect(await ben.client.call(api.ackInbox, { body: { ids, project: '' } })).toMatchObject({ acked: [], unknown: ids })
  expect((await inbox(ben)).unread).toBe(2)
  expect(await ben.client.call(api.markFetched, of('billing'))).toEqual({ fetched: ids, unknown: [] })
  expect(await ben.client.call(api.ackInbox, { body: { ids, project: 'billing' } })).toEqual({
    acked: ids,
    unknown: [],
    unread: 1,
  })
  expect(await inbox(ben, 'shop')).toEqual({ bodies: ['for whoever reads'], unread: 1, more: 0, elsewhere: undefined })
  const { receipts } = await ana.client.call(api.getMessage, { params: { id: sent.id } })
  expect(receipts).toMatchObject([
    { name: ben.name, status: 'acked', project: 'billing', projectSessions: 1, shownTo: { project: 'billing' } },
  ])
  const { openRequests } = await ana.client.call(api.listMachines)
  expect(openRequests.map(({ waitingFor }) => waitingFor)).toEqual([
    [{ name: ben.name, status: 'stored' }],
    [{ name: ben.name, project: 'billing', status: 'acked' }],
  ])
})

test('an answer goes back to the project that asked, unless it names another', async () => {
  const [ana, ben] = [await machine('ana'), await machine('ben')]
  await beat(ana, 's1', 'web')
  await beat(ana, 's2', 'api')
  const ask = (fromProject?: string) => send(ana, { to: ben.name, body: 'which one?', fromProject })
  const [asked, plain, unseen] = [await ask('web'), await ask(), await ask('never-seen')]
  expect((await ben.client.call(api.readInbox)).messages.map(({ fromProject }) => fromProject)).toEqual([
    'web',
    undefined,
    'never-seen',
  ])
  await send(ben, { to: ana.name, replyTo: asked.id, body: 'to the asker' })
  await send(ben, { to: `${ana.name}/api`, replyTo: asked.id, body: 'to another' })
  await send(ben, { to: ana.name, replyTo: plain.id, body: 'to any' })
  await send(ben, { to: ana.name, replyTo: unseen.id, body: 'to any too' })
  expect((await inbox(ana, 'web')).bodies).toEqual(['to the asker', 'to any', 'to any too'])
  expect((await inbox(ana, 'api')).bodies).toEqual(['to another', 'to any', 'to any too'])
})

test('the project of the sending session is not among the fields that an id binds', async () => {
  const [ana, ben] = [await machine('ana'), await machine('ben')]
  const message = { id: newMessageId(), to: ben.name, body: 'hello' }
  const first = await send(ana, { ...message, fromProject: 'web' })
  expect(await send(ana, { ...message, fromProject: 'api' })).toEqual(first)
  expect(await send(ana, message)).toEqual(first)
  await beat(ben, 's1', 'shop')
  await expect(send(ana, { ...message, to: `${ben.name}/shop` })).rejects.toMatchObject({ code: 'conflict' })
})

test('an event stream of one project reports and counts the messages for it', async () => {
  const [ana, ben] = [await machine('ana'), await machine('ben')]
  await beat(ben, 's1', 'shop')
  await beat(ben, 's2', 'billing')
  const to = (project: string) => send(ana, { to: `${ben.name}${project}`, body: 'hello' })
  await to('/billing')
  await to('/shop')
  const shop = await new Listener(ben.client, { project: 'shop' }).opened()
  await shop.first(1)
  await to('/billing')
  await to('')
  await to('/shop')
  const heard = await shop.first(3)
  expect(
    heard.map(({ data }) => [(data as { project?: string }).project, (data as { unread: number }).unread]),
  ).toEqual([
    ['shop', 1],
    [undefined, 2],
    ['shop', 3],
  ])
})

test('machines and sessions are listed with their projects', async () => {
  const ben = await machine('ben')
  await beat(ben, 's1', 'shop')
  await beat(ben, 's2', 'shop')
  await beat(ben, 's3', 'billing')
  await beat(ben, 's4')
  await ben.client.call(api.endSession, { query: { session: 's3' } })
  const { members } = await ben.client.call(api.listMachines)
  const own = members.find(({ name }) => name === ben.name)!
  expect(own.projects).toEqual([
    { name: 'shop', sessions: 2, lastSeenAt: expect.any(String) },
    { name: 'billing', sessions: 0, lastSeenAt: expect.any(String) },
  ])
  expect(own.sessions.map(({ session, project }) => [session, project])).toEqual([
    ['s1', 'shop'],
    ['s2', 'shop'],
    ['s4', undefined],
  ])
})

test.each([
  ['a name with a slash', { project: 'a/b' }],
  ['capital letters', { project: 'Shop' }],
  ['a script', { project: '<b>' }],
  ['65 characters', { project: 'a'.repeat(65) }],
])('an invalid project name of a session is refused: %s', async (_, { project }) => {
  const ben = await machine('ben')
  const asked = { path: '/v1/presence', token: ben.token, body: { session: 's1', client: 'test/1', project } }
  expect(errorOf(await raw(hub, { ...asked, method: 'POST' }))).toMatchObject({ code: 'invalid' })
})

test('history with a project has messages for it and from it, in order of time; so has a search', async () => {
  const [ana, ben] = [await machine('ana'), await machine('ben')]
  await beat(ben, 's1', 'shop')
  await send(ana, { to: `${ben.name}/shop`, body: 'alpha for shop' })
  await send(ana, { to: ben.name, body: 'alpha for any' })
  await send(ben, { to: ana.name, body: 'alpha from shop', fromProject: 'shop' })
  await send(ben, { to: ana.name, body: 'alpha from billing', fromProject: 'billing' })
  const history = async (query: { with: string; q?: string }) =>
    (await ana.client.call(api.listMessages, { query })).messages.map(({ message }) => message.body)
  const shop = ['alpha from shop', 'alpha for shop']
  expect(await history({ with: `${ben.name}/Shop` })).toEqual(shop)
  expect(await history({ with: `${ben.name}/shop`, q: 'alpha' })).toEqual(shop)
  expect(await history({ with: `${ben.name}/none`, q: 'alpha' })).toEqual([])
  expect(await history({ with: ben.name })).toHaveLength(4)
})

test('50 projects of one machine, and their unread messages, survive a kill; a project seen before it is an address after it', async () => {
  const own = await startHub()
  const [ana, ben] = [await own.join('ana'), await own.join('ben')]
  const projects = Array.from({ length: 50 }, (_, n) => `p${n}`)
  await Promise.all(projects.map((project, n) => beat(ben, `s${n}`, project)))
  await Promise.all(projects.map(project => send(ana, { to: `ben/${project}`, body: project })))
  await own.crashAndRestart()
  expect(await send(ana, { to: 'ben/p7', body: 'again' })).toMatchObject({
    recipients: [{ project: 'p7', projectSessions: 0, projectLastSeenAt: expect.any(String), sessions: 0 }],
  })
  const counts = await Promise.all(projects.map(project => inbox(ben, project)))
  for (const [n, { bodies, unread, elsewhere }] of counts.entries()) {
    expect([bodies, unread]).toEqual(n === 7 ? [['p7', 'again'], 2] : [[`p${n}`], 1])
    expect(elsewhere).toHaveLength(20)
  }
  expect(counts[0]!.elsewhere![0]).toEqual({ project: 'p7', unread: 2 })
  const { members } = await ana.client.call(api.listMachines)
  const { projects: listed, projectCount } = members.find(({ name }) => name === 'ben')!
  expect([listed!.length, projectCount]).toEqual([20, 50])
})
