import { beforeAll, expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import type { OutgoingRequest } from '../src/protocol/outgoing.ts'
import type { TestMember } from './support/hub.ts'
import { type Receiver, startReceiver, status } from './support/receiver.ts'
import { sharedHub } from './support/shared-hub.ts'
import { until } from './support/until.ts'

const hub = sharedHub()
let jaz: TestMember
let ana: TestMember

beforeAll(async () => {
  jaz = await hub.join('jaz')
  await hub.join('seanclaude')
  ana = await hub.join('ana')
})

const admin = () => hub.client(hub.adminToken)
const add = (body: Partial<OutgoingRequest> & { url: string }) =>
  admin().call(api.addOutgoing, { body: { on: ['to seanclaude'], ...body } })
const send = (from: TestMember, to: string | string[], more: object = {}) =>
  from.client.call(api.sendMessage, { body: { to, body: 'a text that is secret', ...more } as never })
const shown = async (name: string) =>
  (await admin().call(api.listOutgoing)).webhooks.find(webhook => webhook.name === name)!
const remove = (name: string) => admin().call(api.deleteOutgoing, { params: { name } })

/** Verifies a post as Standard Webhooks specifies, with the Web Crypto API. */
async function isSigned({ headers, body }: Receiver['posts'][number], secret: string): Promise<boolean> {
  const key = await crypto.subtle.importKey(
    'raw',
    Buffer.from(secret.slice('whsec_'.length), 'base64'),
    { name: 'HMAC', hash: 'SHA-256' },
    false,
    ['verify'],
  )
  const signed = new TextEncoder().encode(`${headers['webhook-id']}.${headers['webhook-timestamp']}.${body}`)
  const signatures = String(headers['webhook-signature']).split(' ')
  const verdicts = signatures.map(each =>
    crypto.subtle.verify('HMAC', key, Buffer.from(each.replace(/^v1,/, ''), 'base64'), signed),
  )
  return (await Promise.all(verdicts)).includes(true)
}

test('a message that matches the filter is posted, signed, without its text, and others are not', async () => {
  const receiver = await startReceiver()
  const { name, signingSecret } = await add({ url: receiver.url })
  await send(jaz, 'ana')
  const { id } = await send(jaz, 'seanclaude', { intent: 'urgent' })
  const post = await receiver.got(1)
  expect(post.headers).toMatchObject({ 'webhook-id': `message_${id}`, 'content-type': 'application/json' })
  expect(Math.abs(Number(post.headers['webhook-timestamp']) - Date.now() / 1000)).toBeLessThan(300)
  expect(await isSigned(post, signingSecret)).toBe(true)
  expect(await isSigned({ ...post, body: `${post.body} ` }, signingSecret)).toBe(false)
  expect(post.json).toEqual({
    type: 'message',
    timestamp: expect.stringMatching(/Z$/),
    data: {
      ...{ id, from: 'jaz', to: [{ name: 'seanclaude' }], intent: 'urgent', bytes: 21 },
      line: 'jaz → seanclaude (urgent)',
    },
  })
  expect(post.body).not.toContain('secret')
  await until('the note', async () => (await shown(name)).delivered === 1)
  expect(await shown(name)).toMatchObject({
    to: receiver.url.replace('/hook', ''),
    on: ['to seanclaude'],
    trouble: null,
  })
  expect(receiver.posts).toHaveLength(1)
  await remove(name)
})

test('a slow or failing receiver does not delay the others', async () => {
  const [silent, well] = [await startReceiver(), await startReceiver()]
  silent.answer = () => {}
  const names = [await add({ url: silent.url }), await add({ url: well.url })].map(({ name }) => name)
  for (let n = 1; n <= 3; n++) await send(jaz, 'seanclaude')
  await well.got(3)
  expect(silent.posts).toHaveLength(1)
  for (const name of names) await remove(name)
})

test('a receiver that is gone gets no posts until a test succeeds; events from then on are posted', async () => {
  const receiver = await startReceiver()
  receiver.answer = status(410)
  const { name } = await add({ url: receiver.url, name: 'pager' })
  await send(jaz, 'seanclaude')
  await until('the webhook to be gone', async () => (await shown(name)).state === 'gone')
  await send(jaz, 'seanclaude')
  const tested = await admin().call(api.testOutgoing, { params: { name } })
  expect(tested).toMatchObject({ delivered: false, status: 410, why: 'it returned 410' })
  receiver.answer = status(200)
  expect(await admin().call(api.testOutgoing, { params: { name } })).toMatchObject({ delivered: true, status: 200 })
  expect((await shown(name)).state).toBe('on')
  const { id } = await send(jaz, 'seanclaude')
  await receiver.got(post => post.headers['webhook-id'] === `message_${id}`)
  const ids = receiver.posts.map(({ headers }) => String(headers['webhook-id']))
  expect(ids.filter(each => each.startsWith('message_'))).toHaveLength(2)
  const { dead } = await admin().call(api.listDead, { params: { name } })
  expect(dead).toMatchObject([{ line: 'jaz → seanclaude (request)', why: 'it returned 410: it is gone', attempts: 1 }])
  expect(await admin().call(api.retryDead, { params: { name, id: dead[0]!.id } })).toEqual({ name, retried: 1 })
  await receiver.got(post => post.headers['webhook-id'] === dead[0]!.id && post !== receiver.posts[0])
  await until('no dead letter', async () => (await shown(name)).dead === 0)
  await remove(name)
})

test('each kind of event has its word in filters: refused, held, expired', async () => {
  const receiver = await startReceiver()
  const { name } = await add({ url: receiver.url, on: ['refused', 'expired', 'held'], text: true })
  await ana.client.call(api.putPolicy, { body: { inbound: 'refuse' } })
  const refused = await send(jaz, 'ana', { body: 'alone' }).catch(error => error)
  expect(refused.code).toBe('forbidden')
  const alone = await receiver.got(1)
  expect(alone.json).toMatchObject({ type: 'refused', data: { from: 'jaz', to: [{ name: 'ana' }] } })
  const { id } = await send(jaz, ['ana', 'seanclaude'])
  const partly = await receiver.got(2)
  expect(partly.headers['webhook-id']).toBe(`refused_${id}`)
  expect(partly.json.data!.to).toEqual([{ name: 'ana', reason: 'ana takes no messages now.' }])
  await ana.client.call(api.putPolicy, { body: { inbound: 'hold' } })
  const held = await send(jaz, ['ana', 'seanclaude'], { body: 'first\u0000\nsecond', expiresInS: 1 })
  expect((await receiver.got(3)).json).toMatchObject({
    type: 'message',
    data: {
      id: held.id,
      to: [{ name: 'ana', held: true }, { name: 'seanclaude' }],
      line: 'jaz → ana, seanclaude (request): first\\u{0000} second',
      text: 'first\u0000\nsecond',
    },
  })
  const expired = await receiver.got(4)
  expect(expired.headers['webhook-id']).toMatch(new RegExp(`^expired_${held.id}_\\d+$`))
  expect(expired.json).toMatchObject({ type: 'expired', data: { to: [{ name: 'seanclaude' }, { name: 'ana' }] } })
  await ana.client.call(api.putPolicy, { body: { inbound: 'accept' } })
  await remove(name)
})
