import { describe, expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { passingClock, steppedClock } from './support/clock.ts'
import { startHub } from './support/hub.ts'
import { Listener } from './support/listener.ts'
import { raw } from './support/raw.ts'
import { sharedHub } from './support/shared-hub.ts'
import { until } from './support/until.ts'

const hourMs = 3_600_000
const inMs = (ms: number) => new Date(Date.now() + ms).toISOString()

describe('over the wire', () => {
  const hub = sharedHub()
  let number = 0
  const pair = async () => {
    number++
    return Promise.all([hub.join(`ana${number}`), hub.join(`ben${number}`)])
  }

  test('later mail is listed, and comes with an event and a place of its own once it is due', async () => {
    const [ana, ben] = await pair()
    const stream = await new Listener(ben.client).opened()
    const body = { id: newMessageId(), to: ben.name, body: 'x'.repeat(2000), at: inMs(1500), expiresInS: 3600 }
    const sent = await ana.client.call(api.sendMessage, { body })
    expect(sent).toMatchObject({ id: body.id, at: body.at, recipients: [{ name: ben.name, status: 'later' }] })
    expect(await ana.client.call(api.listLater)).toEqual({
      messages: [
        {
          ...{ id: body.id, to: [ben.name], at: body.at, writtenAt: sent.sentAt },
          ...{ expiresInS: 3600, beginning: 'x'.repeat(1000), bytes: 2000 },
        },
      ],
    })
    expect(await ben.client.call(api.listLater)).toEqual({ messages: [] })
    const { seq } = await ana.client.call(api.sendMessage, { body: { to: ben.name, body: 'now' } })
    await until('both have come', () => stream.changes.length === 2)
    expect(stream.changes.map(({ data }) => data.id)[1]).toBe(body.id)
    const { messages } = await ben.client.call(api.readInbox)
    expect(messages[1]).toMatchObject({ id: body.id, writtenAt: sent.sentAt })
    expect(messages[1]!.seq).toBeGreaterThan(seq)
    expect(Date.parse(messages[1]!.expiresAt!) - Date.parse(messages[1]!.sentAt)).toBe(hourMs)
    expect(await ana.client.call(api.listLater)).toEqual({ messages: [] })
    await expect(ana.client.call(api.cancelLater, { params: { id: body.id } })).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('was delivered at'),
    })
  })

  test('a time may have any offset; what is no time, or past, is refused', async () => {
    const [ana, ben] = await pair()
    const send = (at: string) =>
      raw(hub, { path: '/v1/messages', token: ana.token, body: { to: ben.name, body: 'hello', at } })
    const at = new Date(Math.floor(Date.now() / 1000) * 1000 + hourMs)
    const inTokyo = `${new Date(at.getTime() + 9 * hourMs).toISOString().slice(0, 19)}+09:00`
    expect(await send(inTokyo)).toMatchObject({ status: 201, json: { at: at.toISOString() } })
    for (const bad of [
      'tomorrow',
      '2026-02-30T09:00:00Z',
      inMs(hourMs).slice(0, -1),
      inMs(-10_000),
      inMs(400 * 24 * hourMs),
      '',
    ])
      expect(await send(bad)).toMatchObject({ status: 400, json: { error: { code: 'invalid' } } })
    expect((await ana.client.call(api.listLater)).messages).toHaveLength(1)
  })

  test('what is cancelled does not come, and only its sender can cancel it', async () => {
    const [ana, ben] = await pair()
    const { id } = await ana.client.call(api.sendMessage, { body: { to: ben.name, body: 'hello', at: inMs(1000) } })
    const cancel = (who: typeof ana) => who.client.call(api.cancelLater, { params: { id } })
    await expect(cancel(ben)).rejects.toMatchObject({ code: 'not_found' })
    expect(await cancel(ana)).toEqual({ id, cancelled: true })
    expect(await cancel(ana)).toEqual({ id, cancelled: true })
    const last = await ana.client.call(api.sendMessage, { body: { to: ben.name, body: 'last', at: inMs(1200) } })
    const first = await until('the last has come', async () => (await ben.client.call(api.readInbox)).messages[0])
    expect(first.id).toBe(last.id)
  })

  test('who is told by a message of the hub that an order expired is not told again by the receipt', async () => {
    const [ana, ben] = await pair()
    const stream = await new Listener(ana.client).opened()
    const [order, status] = await Promise.all(
      (['request', 'inform'] as const).map(intent =>
        ana.client.call(api.sendMessage, { body: { to: ben.name, body: 'soon', intent, expiresInS: 1 } }),
      ),
    )
    await until('three events have come', () => stream.changes.length === 3)
    expect(stream.changes.map(({ event, data }) => [event, data.id, 'noticed' in data])).toEqual(
      expect.arrayContaining([
        ['receipt', order!.id, true],
        ['receipt', status!.id, false],
      ]),
    )
    const { messages } = await ana.client.call(api.readInbox)
    expect(messages).toHaveLength(1)
    expect(messages[0]).toMatchObject({ from: 'hub', body: expect.stringContaining(order!.id) })
  })
})

test('later mail goes by the time that passes: a clock that is set forward or back delivers nothing early or twice', async context => {
  const clock = steppedClock(context)
  const hub = await startHub({ env: clock.env })
  const [ana, ben] = [await hub.join('ana'), await hub.join('ben')]
  const unread = async () => (await ben.client.call(api.readInbox)).messages.map(({ body }) => body)
  await ana.client.call(api.sendMessage, { body: { to: 'ben', body: 'in an hour', at: inMs(hourMs) } })
  for (const seconds of [86_400, -86_400, 0]) {
    clock.step(seconds)
    await ana.client.call(api.sendMessage, { body: { to: 'ben', body: `${seconds}` } })
    // Due at once by the clock of then: what waits longer is not.
    const at = new Date(Date.now() + seconds * 1000 + 300).toISOString()
    await ana.client.call(api.sendMessage, { body: { to: 'ben', body: 'soon', at } })
    await until('it has come', async () => (await unread()).at(-1) === 'soon')
  }
  expect(await unread()).toEqual(['86400', 'soon', '-86400', 'soon', '0', 'soon'])
})

test('what was due while the hub was down comes once, as soon as it is back, and ids stay bound over it', async context => {
  const clock = passingClock(context)
  const hub = await startHub({ env: clock.env })
  const [ana, ben] = [await hub.join('ana'), await hub.join('ben')]
  const body = { id: newMessageId(), to: 'ben', body: 'while it was down', at: inMs(hourMs) }
  const tomorrow = { id: newMessageId(), to: 'ben', body: 'tomorrow', at: inMs(24 * hourMs) }
  for (const each of [body, tomorrow]) await ana.client.call(api.sendMessage, { body: each })
  await hub.stop('SIGKILL')
  clock.step(2 * 3600)
  await hub.start()
  const unread = async () => (await ben.client.call(api.readInbox)).messages
  await until('it has come', async () => (await unread()).length > 0)
  await hub.crashAndRestart()
  expect(await ana.client.call(api.sendMessage, { body })).toMatchObject({ recipients: [{ status: 'stored' }] })
  expect(await ana.client.call(api.sendMessage, { body: tomorrow })).toMatchObject({ at: tomorrow.at })
  expect((await unread()).map(({ id }) => id)).toEqual([body.id])
})
