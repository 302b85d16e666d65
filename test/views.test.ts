import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import type { RequestOf, Route } from '../src/protocol/routes/route.ts'
import type { TestMember } from './support/hub.ts'
import { emptiedHub } from './support/shared-hub.ts'

const hubAlone = emptiedHub()

/** Creates a hub on which sean owns seanclaude and laptop, jaz owns jazclaude, and ann owns nothing. */
async function org() {
  const hub = await hubAlone()
  const [sean, jaz, ann] = [
    await hub.join('sean', 'human'),
    await hub.join('jaz', 'human'),
    await hub.join('ann', 'human'),
  ]
  const [seanclaude, laptop] = [
    await hub.join('seanclaude', 'machine', 'sean'),
    await hub.join('laptop', 'machine', 'sean'),
  ]
  const jazclaude = await hub.join('jazclaude', 'machine', 'jaz')
  const admin = { name: 'admin', token: hub.adminToken, client: hub.client(hub.adminToken) }
  return { hub, sean, jaz, ann, seanclaude, laptop, jazclaude, admin }
}

function send({ client }: TestMember, to: string | string[], body: string, more: object = {}) {
  return client.call(api.sendMessage, { body: { to, body, ...more } })
}

async function bodies({ client }: TestMember, query: RequestOf<typeof api.listMessages>['query'] = {}) {
  return (await client.call(api.listMessages, { query })).messages.map(({ message }) => message.body)
}

/** Returns the error code with which a call is refused. */
function codeOf<R extends Route>({ client }: TestMember, route: R, request: object = {}): Promise<string> {
  return client.call(route as never, request as never).then(
    () => 'ok',
    (error: { code: string }) => error.code,
  )
}

test('a human reads the messages of machines that they own, and of no others; after a change of owner no longer', async () => {
  const { sean, jaz, ann, seanclaude, laptop, jazclaude, admin } = await org()
  const { id } = await send(jazclaude, 'seanclaude', 'the walrus question')
  await send(seanclaude, 'laptop', 'between two of sean')
  await send(ann, 'sean', 'to sean himself')
  const read = (by: TestMember, of: string | string[]) => codeOf(by, api.listMessages, { query: { of } })
  const one = (by: TestMember) => codeOf(by, api.getMessage, { params: { id } })

  expect(await bodies(sean, { of: 'seanclaude' })).toEqual(['between two of sean', 'the walrus question'])
  expect(await bodies(sean, { of: 'seanclaude', q: 'walr' })).toEqual(['the walrus question'])
  expect(await bodies(sean, { of: 'seanclaude', with: 'laptop' })).toEqual(['between two of sean'])
  expect(await bodies(sean, { of: ['seanclaude', 'laptop', 'sean'] })).toEqual([
    'to sean himself',
    'between two of sean',
    'the walrus question',
  ])
  // Without `of`, a member sees their own.
  expect(await bodies(sean)).toEqual(['to sean himself'])
  expect(await one(sean)).toBe('ok')
  expect(await one(jaz)).toBe('ok')

  for (const by of [ann, laptop, seanclaude, jaz]) {
    if (by !== seanclaude) expect(await read(by, 'seanclaude'), by.name).toBe('forbidden')
    expect(await read(by, [by.name, 'laptop,sean']), by.name).toBe('forbidden')
  }
  expect(await one(ann)).toBe('not_found')
  expect(await one(laptop)).toBe('not_found')
  expect(await read(sean, 'nobody')).toBe('not_found')
  expect(await read(sean, ',')).toBe('invalid')

  await admin.client.call(api.putMember, { params: { name: 'seanclaude' }, body: { owner: 'ann' } })
  expect(await read(sean, 'seanclaude')).toBe('forbidden')
  expect(await one(sean)).toBe('not_found')
  expect(await bodies(ann, { of: 'seanclaude', q: 'walrus' })).toEqual(['the walrus question'])
  expect(await one(ann)).toBe('ok')
})

test('an owner sees the receipts that their machine sees: all of its sends, and its own of what it received', async () => {
  const { sean, seanclaude, jazclaude } = await org()
  const asked = await send(jazclaude, ['seanclaude', 'laptop', 'ann'], 'all three')
  const told = await send(seanclaude, ['jazclaude', 'ann'], 'both')
  const receipts = async (query: object) =>
    (await sean.client.call(api.listMessages, { query })).messages.map(({ receipts }) =>
      receipts.map(({ name }) => name),
    )
  expect(await receipts({ of: 'seanclaude' })).toEqual([['jazclaude', 'ann'], ['seanclaude']])
  expect(await receipts({ of: 'seanclaude,laptop' })).toEqual([
    ['jazclaude', 'ann'],
    ['seanclaude', 'laptop'],
  ])
  const one = async (id: string) => (await sean.client.call(api.getMessage, { params: { id } })).receipts.length
  expect([await one(asked.id), await one(told.id)]).toEqual([2, 2])
})

test('an admin sees all traffic without texts, and cannot search them', async () => {
  const { admin, seanclaude, jazclaude, ann } = await org()
  const { id } = await send(jazclaude, 'seanclaude', 'secret wörds')
  await send(ann, 'jazclaude', 'another')
  const { messages } = await admin.client.call(api.listMessages)
  expect(messages.slice(0, 2).map(({ message }) => message)).toMatchObject([
    { from: 'ann', body: '', withheld: true, bytes: 7 },
    { from: 'jazclaude', to: ['seanclaude'], body: '', withheld: true, bytes: 13, id },
  ])
  expect(messages[1]!.receipts).toMatchObject([{ name: 'seanclaude', status: 'stored' }])
  const one = await admin.client.call(api.getMessage, { params: { id } })
  expect(one.message).toMatchObject({ body: '', withheld: true, bytes: 13 })
  expect(JSON.stringify([messages, one])).not.toMatch(/secret|another/)
  const seen = async (query: object) =>
    (await admin.client.call(api.listMessages, { query })).messages.map(({ message }) => message.from)
  expect(await seen({ of: 'seanclaude' })).toEqual(['jazclaude'])
  expect(await seen({ with: 'ann' })).toEqual(['ann'])
  expect(await seen({ of: 'seanclaude', with: 'ann' })).toEqual([])
  for (const q of ['secret', 'nowhere'])
    expect(await codeOf(admin, api.listMessages, { query: { q, of: 'seanclaude' } })).toBe('forbidden')
  expect(await codeOf(admin, api.getMessage, { params: { id: newMessageId() } })).toBe('not_found')
  const { message } = await seanclaude.client.call(api.getMessage, { params: { id } })
  expect(message).toMatchObject({ body: 'secret wörds', bytes: 13 })
  expect(message).not.toHaveProperty('withheld')
})

test('a human answers on behalf of a machine that they own, and of no other', async () => {
  const { sean, jaz, seanclaude, laptop, jazclaude, hub } = await org()
  const { id } = await send(jazclaude, 'seanclaude', 'May I?', { intent: 'request' })
  const answer = (by: TestMember, more: object) =>
    codeOf(by, api.sendMessage, { body: { to: 'jazclaude', body: 'Yes.', replyTo: id, ...more } })
  expect(await answer(sean, {})).toBe('not_found')
  expect(await answer(sean, { answersFor: 'laptop' })).toBe('not_found')
  for (const by of [jaz, laptop, seanclaude, jazclaude])
    expect(await answer(by, { answersFor: 'seanclaude' }), by.name).toBe('forbidden')
  expect(await answer(sean, { answersFor: 'seanclaude', replyTo: undefined })).toBe('invalid')
  expect(await answer(sean, { answersFor: 'nobody' })).toBe('not_found')
  expect(await answer(sean, { answersFor: 'SeanClaude' })).toBe('ok')
  const { receipts } = await jazclaude.client.call(api.getMessage, { params: { id } })
  expect(receipts).toMatchObject([{ name: 'seanclaude', answeredAt: expect.any(String) }])
  const { messages } = await seanclaude.client.call(api.readInbox)
  expect(messages).toMatchObject([{ id, answeredBy: 'sean' }])
  await hub.client(hub.adminToken).call(api.putMember, { params: { name: 'seanclaude' }, body: { owner: null } })
  expect(await answer(sean, { answersFor: 'seanclaude' })).toBe('forbidden')
})

test('conversations: a human sees those of their machines too, an admin all without texts, others their own', async () => {
  const { sean, ann, seanclaude, laptop, jazclaude, admin } = await org()
  await send(jazclaude, 'seanclaude', 'the walrus question')
  await send(seanclaude, 'laptop', 'between two of sean')
  await send(ann, 'all', 'to all')
  const list = async ({ client }: TestMember, query = {}) =>
    (await client.call(api.listConversations, { query })).conversations
  const pairs = async (by: TestMember, query = {}) =>
    (await list(by, query)).map(({ of, with: other, kind, beginning }) => `${of} ${other} ${kind} ${beginning}`)
  expect(await pairs(ann)).toEqual(['ann all group to all'])
  expect(await pairs(sean)).toEqual([
    'seanclaude ann human to all',
    'laptop ann human to all',
    'seanclaude laptop machine between two of sean',
    'laptop seanclaude machine between two of sean',
    'seanclaude jazclaude machine the walrus question',
  ])
  expect(await pairs(sean, { of: 'laptop' })).toHaveLength(2)
  expect(await pairs(seanclaude)).toHaveLength(3)
  for (const by of [ann, laptop, jazclaude])
    expect(await codeOf(by, api.listConversations, { query: { of: 'seanclaude' } }), by.name).toBe('forbidden')
  // Those of earlier tests are listed too, between deleted members.
  const seen = (await list(admin)).filter(({ of }) => !of.includes('#'))
  expect(seen.map(({ of, with: other }) => `${of} ${other}`)).toEqual([
    'ann all',
    'seanclaude laptop',
    'seanclaude jazclaude',
  ])
  expect(JSON.stringify(seen)).not.toMatch(/beginning|walrus|between/)
  expect(seen.find(({ of, with: other }) => of === 'seanclaude' && other === 'jazclaude')).toMatchObject({
    kind: 'machine',
    lastFrom: 'jazclaude',
    lastIntent: 'request',
    unread: 1,
    openQuestions: 1,
  })
  expect(await bodies(ann, { with: 'all' })).toEqual(['to all'])
  expect(await codeOf(ann, api.listMessages, { query: { with: 'nobody' } })).toBe('not_found')
  const first = await sean.client.call(api.listConversations, { query: { limit: 2 } })
  expect(first).toMatchObject({ more: true, next: expect.any(String) })
  const rest = await sean.client.call(api.listConversations, { query: { before: first.next } })
  expect([...first.conversations, ...rest.conversations]).toEqual(await list(sean))
})

test('with=mail each sees the unread messages and open questions of their members; an admin all, without texts', async () => {
  const { sean, ann, seanclaude, laptop, jazclaude, admin } = await org()
  const first = await send(jazclaude, 'seanclaude', 'walrus?')
  await send(seanclaude, ['jazclaude', 'ann'], 'penguin?', { intent: 'urgent' })
  const mail = async ({ client }: TestMember) => {
    const { members, openRequests } = await client.call(api.listMachines, { query: { with: 'mail' } })
    const unread = members.flatMap(({ name, unread, oldestUnreadAt }) =>
      unread === undefined ? [] : [`${name} ${unread} ${oldestUnreadAt && 'since'}`],
    )
    return { unread, open: openRequests.map(({ of, beginning }) => `${of} ${beginning}`), first: openRequests[0] }
  }
  expect(await mail(sean)).toMatchObject({
    unread: ['laptop 0 null', 'sean 0 null', 'seanclaude 1 since'],
    open: ['seanclaude penguin?'],
    first: { waitingFor: [{ name: 'ann' }, { name: 'jazclaude' }] },
  })
  expect(await mail(ann)).toMatchObject({ unread: ['ann 1 since'], open: [] })
  expect(await mail(laptop)).toMatchObject({ unread: ['laptop 0 null'], open: [] })
  expect(await mail(seanclaude)).toMatchObject({ unread: ['seanclaude 1 since'], open: ['undefined penguin?'] })
  const all = await mail(admin)
  expect(all.unread).toEqual([
    'ann 1 since',
    'jaz 0 null',
    'jazclaude 1 since',
    'laptop 0 null',
    'sean 0 null',
    'seanclaude 1 since',
  ])
  expect(all.open.slice(0, 2)).toEqual(['seanclaude ', 'jazclaude '])
  // Without `with`, these fields are absent.
  const { members } = await sean.client.call(api.listMachines)
  expect(members.some(member => 'unread' in member || 'oldestUnreadAt' in member)).toBe(false)
  // An answer by the owner counts as an answer.
  await send(sean, 'jazclaude', 'yes', { replyTo: first.id, answersFor: 'seanclaude' })
  expect((await mail(jazclaude)).open).toEqual([])
})

test('charts count only messages that the caller may see', async () => {
  const { sean, ann, jaz, seanclaude, laptop, jazclaude, admin } = await org()
  const sends = async ({ client }: TestMember, query = {}) =>
    (await client.call(api.charts, { query })).sends.reduce((sum, each) => sum + each, 0)
  const before = await sends(admin)
  await send(jazclaude, 'seanclaude', 'one')
  await send(seanclaude, 'laptop', 'two')
  await send(ann, 'jaz', 'three')
  expect(await sends(sean)).toBe(2)
  expect(await sends(sean, { of: 'laptop' })).toBe(1)
  expect(await sends(ann)).toBe(1)
  expect(await sends(jaz)).toBe(2)
  expect(await sends(laptop)).toBe(1)
  // Another span than the precomputed one.
  expect(await sends(admin, { hours: 25 })).toBe(before + 3)
  for (const by of [ann, jaz, laptop, jazclaude])
    expect(await codeOf(by, api.charts, { query: { of: 'seanclaude' } }), by.name).toBe('forbidden')
  const { from, bucketS, oldestUnreadS } = await sean.client.call(api.charts)
  expect(bucketS).toBe(900)
  expect(Date.parse(from) % 900_000).toBe(0)
  expect(oldestUnreadS.at(-1)).not.toBe(null)
})

test('if hub.json lets an admin read, texts are shown and searched, and each look is audited', async () => {
  const { hub, admin, jazclaude, sean } = await org()
  const { id } = await send(jazclaude, 'seanclaude', 'the walrus question')
  const lines = async () => (await admin.client.call(api.listAudit, { query: { action: 'console.read' } })).lines
  const known = (await lines()).length
  await bodies(admin)
  await sean.client.call(api.listMessages, { query: { of: 'seanclaude' } })
  expect(await lines()).toHaveLength(known)
  await hub.reload({ console: { adminReads: true } })
  try {
    expect(await bodies(admin, { of: 'seanclaude', q: 'walrus' })).toEqual(['the walrus question'])
    expect(await bodies(admin, { q: 'walr', with: 'jazclaude' })).toEqual(['the walrus question'])
    const { message } = await admin.client.call(api.getMessage, { params: { id } })
    expect(message).toMatchObject({ body: 'the walrus question', bytes: 19 })
    expect(message).not.toHaveProperty('withheld')
    const { conversations } = await admin.client.call(api.listConversations, { query: { of: 'jazclaude' } })
    expect(conversations).toMatchObject([{ beginning: 'the walrus question' }])
    // Reading one's own messages is not audited.
    await sean.client.call(api.getMessage, { params: { id } })
    // Frequent requests show no texts, and are not audited.
    const { openRequests } = await admin.client.call(api.listMachines, { query: { with: 'mail' } })
    expect(openRequests.map(({ beginning }) => beginning).join('')).toBe('')
    expect((await lines()).slice(0, -known || undefined)).toMatchObject([
      { actor: 'admin', target: 'jazclaude', detail: '1 conversations', result: 'ok' },
      { target: 'jazclaude', detail: id },
      { target: 'jazclaude', detail: '1 messages, searched' },
      { target: 'seanclaude', detail: '1 messages, searched' },
    ])
    expect(JSON.stringify(await lines())).not.toContain('walr')
  } finally {
    await hub.reload({})
  }
  expect(await codeOf(admin, api.listMessages, { query: { q: 'walrus' } })).toBe('forbidden')
})
