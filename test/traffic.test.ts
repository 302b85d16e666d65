import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { trafficSchemas } from '../src/protocol/events.ts'
import { EventStream } from './support/event-stream.ts'
import type { TestHub, TestMember } from './support/hub.ts'
import { emptiedHub } from './support/shared-hub.ts'
import { until } from './support/until.ts'

const hubAlone = emptiedHub()

function open(hub: TestHub, { token }: { token: string }, lastEventId?: string): Promise<EventStream> {
  return EventStream.open(new URL('/v1/events?with=traffic', hub.url), token, lastEventId)
}

async function org() {
  const hub = await hubAlone()
  const [sean, ann] = [await hub.join('sean', 'human'), await hub.join('ann', 'human')]
  const [seanclaude, chasclaude] = [await hub.join('seanclaude', 'machine', 'sean'), await hub.join('chasclaude')]
  const admin = { name: 'admin', token: hub.adminToken, client: hub.client(hub.adminToken) }
  const send = async ({ client }: TestMember, to: string | string[], body: string, more = {}) =>
    (await client.call(api.sendMessage, { body: { to, body, ...more } })).id
  return { hub, sean, ann, seanclaude, chasclaude, admin, send }
}

test('each sees the traffic that is theirs as it comes: an owner of their machines with texts, an admin all without', async () => {
  const { hub, sean, ann, seanclaude, chasclaude, admin, send } = await org()
  const readers = { sean, ann, seanclaude, chasclaude, admin }
  const opened = await Promise.all(Object.values(readers).map(reader => open(hub, reader)))
  const [ofSean, ofAnn, ofSeanclaude, ofChas, ofAdmin] = opened as [
    EventStream,
    EventStream,
    EventStream,
    EventStream,
    EventStream,
  ]
  await Promise.all(opened.map(stream => stream.next('ready')))
  const id = await send(chasclaude, 'seanclaude', `${'wörd '.repeat(100)}`, { intent: 'urgent' })
  await seanclaude.client.call(api.markTold, { body: { ids: [id], session: 's', how: 'wake' } })
  await seanclaude.client.call(api.markFetched, { body: { ids: [id], session: 's' } })
  const answer = await send(seanclaude, 'chasclaude', 'done', { replyTo: id })
  const other = await send(ann, ['chasclaude', 'ann'], 'of ann alone')

  const common = { id, from: 'chasclaude', fromKind: 'machine', to: ['seanclaude'], intent: 'urgent', bytes: 600 }
  expect((await ofSean.next('traffic', 2))[0]).toEqual({
    ...common,
    of: ['seanclaude'],
    seq: expect.any(Number),
    sentAt: expect.any(String),
    beginning: 'wörd '.repeat(40),
  })
  expect(ofSean.of('traffic')[1]).toMatchObject({ id: answer, replyTo: id, of: ['seanclaude'], beginning: 'done' })
  const all = await ofAdmin.next('traffic', 3)
  expect(all[0]).toMatchObject({ ...common, of: ['chasclaude', 'seanclaude'] })
  expect(all.map(({ id }) => id)).toEqual([id, answer, other])
  expect(JSON.stringify(ofAdmin.events)).not.toMatch(/beginning|wörd|done|alone/)
  expect((await ofAnn.next('traffic')).map(({ id }) => id)).toEqual([other])
  expect((await ofChas.next('traffic', 3)).map(({ of }) => of)).toEqual([
    ['chasclaude'],
    ['chasclaude'],
    ['chasclaude'],
  ])
  expect((await ofSeanclaude.next('traffic', 2)).map(({ id }) => id)).toEqual([id, answer])
  for (const stream of [ofSean, ofChas, ofAdmin]) {
    const changes = (await stream.next('change', 3)).filter(change => change.id === id)
    expect(changes.map(({ recipient, status }) => [recipient, status])).toEqual([
      ['seanclaude', 'told'],
      ['seanclaude', 'fetched'],
      ['seanclaude', 'acked'],
    ])
  }
  expect(ofAnn.of('change')).toEqual([])
  for (const { events } of opened)
    for (const { event, data } of events)
      if (event in trafficSchemas) trafficSchemas[event as keyof typeof trafficSchemas].strict().parse(data)
})

test('a stream continues where it was cut, and reports if the hub no longer has the events since then', async () => {
  const { hub, sean, seanclaude, chasclaude, send } = await org()
  const first = await open(hub, sean)
  await first.next('ready')
  await send(chasclaude, 'seanclaude', 'one')
  await first.next('traffic')
  const { cursor } = first
  first.close()
  await send(chasclaude, 'seanclaude', 'two')
  await send(seanclaude, 'chasclaude', 'three')
  const again = await open(hub, sean, cursor)
  await again.next('ready')
  expect(again.of('traffic').map(({ beginning }) => beginning)).toEqual(['two', 'three'])
  expect(again.of('reset')).toEqual([])
  const last = again.cursor
  again.close()

  await send(chasclaude, 'seanclaude', 'missed')
  await hub.stop()
  await hub.start()
  const anew = await open(hub, sean, last)
  await anew.next('ready')
  expect(anew.events.map(({ event }) => event).slice(0, 2)).toEqual(['reset', 'ready'])
  await send(chasclaude, 'seanclaude', 'four')
  expect(await anew.next('traffic')).toMatchObject([{ beginning: 'four' }])
  await expect(open(hub, sean, 'no cursor')).rejects.toThrow('400')
})

test('a former owner of a machine sees no more of its traffic, the new one does from then on, and both are told that members changed', async () => {
  const { hub, sean, ann, chasclaude, admin, send } = await org()
  const [ofSean, ofAnn] = [await open(hub, sean), await open(hub, ann)]
  await Promise.all([ofSean.next('ready'), ofAnn.next('ready')])
  await send(chasclaude, 'seanclaude', 'before')
  await admin.client.call(api.putMember, { params: { name: 'seanclaude' }, body: { owner: 'ann' } })
  await send(chasclaude, 'seanclaude', 'after')
  await send(chasclaude, ['sean', 'ann'], 'to both')
  const beginnings = async (stream: EventStream) => (await stream.next('traffic', 2)).map(({ beginning }) => beginning)
  expect(await beginnings(ofSean)).toEqual(['before', 'to both'])
  expect(await beginnings(ofAnn)).toEqual(['after', 'to both'])
  await Promise.all([ofSean.next('members'), ofAnn.next('members')])
})

test('notices of the hub, scheduled messages and expired ones are traffic too; a repeated send is not', async () => {
  const { hub, chasclaude, seanclaude, admin, send } = await org()
  const stream = await open(hub, admin)
  await stream.next('ready')
  const body = { to: 'seanclaude', body: 'soon over', expiresInS: 1, id: '0190a000-0000-7000-8000-000000000001' }
  await chasclaude.client.call(api.sendMessage, { body })
  await chasclaude.client.call(api.sendMessage, { body })
  const at = new Date(Date.now() + 1500).toISOString()
  const later = await send(chasclaude, 'seanclaude', 'later', { at })
  await until('all of it', () => stream.of('traffic').length === 3 && stream.of('change').length === 1)
  expect(stream.of('change')).toMatchObject([{ id: body.id, recipient: 'seanclaude', status: 'expired' }])
  const seen = stream.of('traffic').map(({ id, from, fromKind }) => ({ id, from, fromKind }))
  expect(seen[0]).toEqual({ id: body.id, from: 'chasclaude', fromKind: 'machine' })
  expect(seen.slice(1)).toContainEqual({ id: later, from: 'chasclaude', fromKind: 'machine' })
  expect(seen.slice(1)).toContainEqual({ id: expect.any(String), from: 'hub', fromKind: 'hub' })
  void seanclaude
})

test('a message held for the user of a machine is sent to the machine without its beginning, and to its owner with it', async () => {
  const { hub, sean, seanclaude, chasclaude, send } = await org()
  await seanclaude.client.call(api.putPolicy, { body: { inbound: 'hold' } })
  const [ofMachine, ofOwner] = [await open(hub, seanclaude), await open(hub, sean)]
  await Promise.all([ofMachine.next('ready'), ofOwner.next('ready')])
  await send(chasclaude, 'seanclaude', 'held')
  expect((await ofMachine.next('traffic'))[0]).not.toHaveProperty('beginning')
  expect((await ofOwner.next('traffic'))[0]).toMatchObject({ beginning: 'held' })
})

test('an admin sees beginnings while hub.json allows it, and each look is audited', async () => {
  const { hub, admin, chasclaude, send } = await org()
  await hub.reload({ console: { adminReads: true } })
  try {
    const stream = await open(hub, admin)
    await stream.next('ready')
    await send(chasclaude, 'seanclaude', 'shown')
    await stream.next('traffic')
    await hub.reload({})
    await send(chasclaude, 'seanclaude', 'not shown')
    expect((await stream.next('traffic', 2)).map(({ beginning }) => beginning)).toEqual(['shown', undefined])
    const { lines } = await admin.client.call(api.listAudit, { query: { action: 'console.read' } })
    expect(lines).toMatchObject([{ actor: 'admin', target: null, detail: 'live' }])
  } finally {
    await hub.reload({})
  }
})
