import { once } from 'node:events'
import { mkdirSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { mintToken } from '../src/protocol/token.ts'
import { passingClock, steppedClock } from './support/clock.ts'
import { startHub } from './support/hub.ts'
import { Listener } from './support/listener.ts'
import { startMachine, TestMachine } from './support/machine.ts'
import { raw } from './support/raw.ts'
import { sharedHub } from './support/shared-hub.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

const hourMs = 3_600_000
const inMs = (ms: number) => new Date(Date.now() + ms).toISOString()

describe('over HTTP', () => {
  const hub = sharedHub()
  let number = 0
  const pair = async () => {
    number++
    return Promise.all([hub.join(`ana${number}`), hub.join(`ben${number}`)])
  }

  test('a scheduled message is listed, and arrives with an event and its own seq once it is due', async () => {
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
    const look = (who: typeof ana) => who.client.call(api.getMessage, { params: { id: body.id } })
    await expect(look(ana)).rejects.toThrow(
      `Message ${body.id} is a scheduled message, and in no inbox before ${body.at}.`,
    )
    await expect(look(ben)).rejects.toThrow('You have neither sent nor received')
    const { seq } = await ana.client.call(api.sendMessage, { body: { to: ben.name, body: 'now' } })
    await until('both messages', () => stream.changes.length === 2)
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

  test('a time may have any offset; an invalid or past one is refused', async () => {
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

  test('a cancelled message is not delivered, and only its sender can cancel it', async () => {
    const [ana, ben] = await pair()
    const { id } = await ana.client.call(api.sendMessage, { body: { to: ben.name, body: 'hello', at: inMs(1000) } })
    const cancel = (who: typeof ana) => who.client.call(api.cancelLater, { params: { id } })
    await expect(cancel(ben)).rejects.toMatchObject({ code: 'not_found' })
    expect(await cancel(ana)).toEqual({ id, cancelled: true })
    expect(await cancel(ana)).toEqual({ id, cancelled: true })
    const last = await ana.client.call(api.sendMessage, { body: { to: ben.name, body: 'last', at: inMs(1200) } })
    const first = await until('the message sent last', async () => (await ben.client.call(api.readInbox)).messages[0])
    expect(first.id).toBe(last.id)
  })

  test('a sender notified by a message of the hub that an order expired gets no second notice by the receipt', async () => {
    const [ana, ben] = await pair()
    const stream = await new Listener(ana.client).opened()
    const [order, status] = await Promise.all(
      (['request', 'inform'] as const).map(intent =>
        ana.client.call(api.sendMessage, { body: { to: ben.name, body: 'soon', intent, expiresInS: 1 } }),
      ),
    )
    await until('three events', () => stream.changes.length === 3)
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

test('scheduled messages follow the steady time: a clock that is set forward or back delivers nothing early or twice', async context => {
  const clock = steppedClock(context)
  const hub = await startHub({ env: clock.env })
  const [ana, ben] = [await hub.join('ana'), await hub.join('ben')]
  const unread = async () => (await ben.client.call(api.readInbox)).messages.map(({ body }) => body)
  await ana.client.call(api.sendMessage, { body: { to: 'ben', body: 'in an hour', at: inMs(hourMs) } })
  for (const seconds of [86_400, -86_400, 0]) {
    clock.step(seconds)
    await ana.client.call(api.sendMessage, { body: { to: 'ben', body: `${seconds}` } })
    // Due at once by the stepped clock, unlike the message that waits for an hour.
    const at = new Date(Date.now() + seconds * 1000 + 300).toISOString()
    await ana.client.call(api.sendMessage, { body: { to: 'ben', body: 'soon', at } })
    await until('the message', async () => (await unread()).at(-1) === 'soon')
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
  await until('the message', async () => (await unread()).length > 0)
  await hub.crashAndRestart()
  expect(await ana.client.call(api.sendMessage, { body })).toMatchObject({ recipients: [{ status: 'stored' }] })
  expect(await ana.client.call(api.sendMessage, { body: tomorrow })).toMatchObject({ at: tomorrow.at })
  expect((await unread()).map(({ id }) => id)).toEqual([body.id])
})

describe('as humans and models write it', () => {
  const hub = sharedHub()
  const env = { TZ: 'Europe/Berlin' }
  const id = /\b[0-9a-f]{8}-[0-9a-f-]{27}\b/

  test('send --at and --expires print exact times; later lists and cancels the message', async () => {
    const [sean, chas] = [await startMachine(hub, 'sean1'), await hub.join('chas1')]
    const send = (...args: string[]) => sean.run(['send', ...args, chas.name, 'good morning'], { env })
    const sent = await send('--at', '2027-07-01 9:00', '--expires', 'in 2h')
    expect(sent).toMatchObject({ code: 0, stderr: '' })
    const [message] = id.exec(sent.stdout)!
    // The numbers of days are rounded, so they differ at some hours of the day.
    expect(sent.stdout.replace(/in \d+ days/g, 'in N days')).toBe(
      [
        `Stored on the hub for later, for chas1; in no inbox yet. Message ${message}.`,
        `claude-net later cancel ${message} cancels it until then.`,
        'Delivery: 2027-07-01T09:00:00+02:00 (Thursday, Europe/Berlin, in N days).',
        'Expires unless it is acked: 2027-07-01T11:00:00+02:00 (Thursday, Europe/Berlin, in N days).\n',
      ].join('\n'),
    )
    const listed = await sean.run(['later'], { env })
    expect(listed.stdout).toMatch(
      /^to chas1 · 2027-07-01T09:00:00\+02:00 \(Thursday, Europe\/Berlin, in \d+ days\) · written (?:just now|\d+ s ago) · expires 2 h after that\n> good morning\n/,
    )
    const asJson = JSON.parse((await sean.run(['later', '--json'])).stdout)
    expect(asJson.messages).toMatchObject([{ id: message, at: '2027-07-01T07:00:00.000Z', expiresInS: 7200 }])
    expect(await sean.run(['later', 'cancel', message!])).toMatchObject({ code: 0, stdout: 'Cancelled 1 message.\n' })
    expect(JSON.parse((await sean.run(['later', 'cancel', message!, '--json'])).stdout)).toEqual({
      cancelled: [message],
    })
    expect((await sean.run(['later'])).stdout).toBe('No messages are scheduled.\n')
    const never = await sean.run(['later', 'cancel', newMessageId()])
    expect(never).toMatchObject({ code: 1, stderr: expect.stringContaining('You have no scheduled message') })
    expect(await sean.run(['later', 'cancel', 'first'])).toMatchObject({ code: 2 })
    const now = await send('--expires', 'in 90s')
    expect(now.stdout).toMatch(
      /^Stored for chas1 .*\nExpires unless it is acked: .*\+0[12]:00 \(.*, in (?:[12] min|\d+ s)\)\.\n$/,
    )
  })

  test.each([
    ['--at', 'yesterday 9:00', "'yesterday' is not a day"],
    ['--at', '2020-01-01T00:00:00Z', '2020-01-01T01:00:00+01:00 is past'],
    ['--expires', 'tomorrow', 'at what time? Write tomorrow 9:00'],
    ['--at', '2027-03-28 2:30', 'does not exist in Europe/Berlin'],
  ])('send %s %j is refused', async (option, text, wrong) => {
    const sean = await startMachine(hub, `sean-${newMessageId().slice(-8)}`)
    const ran = await sean.run(['send', option, text, 'sean1', 'hello'], { env })
    expect(ran).toMatchObject({ code: 2, stdout: '' })
    expect(ran.stderr).toContain(`claude-net: ${option}: `)
    expect(ran.stderr).toContain(wrong)
  })

  test('the tool takes the same times, and also refuses secrets', async () => {
    const [sean, chas] = [await startMachine(hub, 'sean2'), await hub.join('chas2')]
    const session = await sean.mcp(env)
    const sent = await session.call('send', { to: 'chas2', message: 'later', at: 'in 90m', expires: 'in 1d' })
    expect(sent.text).toMatch(/^Stored on the hub for later, for chas2; in no inbox yet\./)
    expect(sent.text).toMatch(/\nDelivery: .*Europe\/Berlin, in 2 h\)\.\nExpires unless it is acked: .*in 26 h\)\.\n/)
    const wrong = await session.call('send', { to: 'chas2', message: 'later', at: '9' })
    expect(wrong).toEqual({
      isError: true,
      text: "at: '9' may be minutes or an hour. Write in 9m, or today 9:00.\nNothing was sent.",
    })
    const odd = await session.call('send', { to: 'chas2', message: 'later', at: 600, expires: '' })
    expect(odd).toMatchObject({ isError: true, text: expect.stringContaining('at: wanted: a time as text') })
    const secret = await session.call('send', {
      to: 'chas2',
      message: `use ${chas.token}`,
      at: 'in 1h',
    })
    expect(secret.isError).toBe(true)
    expect((await chas.client.call(api.readInbox)).messages).toEqual([])
  })

  test('by POST /mcp times are in UTC', async () => {
    const [sean] = [await hub.join('sean3'), await hub.join('chas3')]
    const call = {
      ...{ jsonrpc: '2.0', id: 1, method: 'tools/call' },
      params: { name: 'claude_net_send', arguments: { to: 'chas3', message: 'hi', at: '2027-07-01 9:00' } },
    }
    const answer = await raw(hub, {
      path: '/mcp',
      token: sean.token,
      body: call,
      headers: { accept: 'application/json, text/event-stream' },
    })
    expect(answer.text).toContain('Delivery: 2027-07-01T09:00:00Z (Thursday, UTC, in ')
  })

  test('a hub that does not know scheduled messages refuses it, and nothing is sent now instead', async () => {
    const answers: Record<string, [number, object]> = {
      '/healthz': [200, { ok: true, program: 'claude-net', version: '0.1.0' }],
      '/v1/messages': [
        400,
        { code: 'invalid', message: 'body: Unrecognized keys: "at", "withinS"', hint: 'Correct it.' },
      ],
    }
    const gone = {
      code: 'not_found',
      message: 'There is no GET on this path.',
      hint: 'docs/protocol.md lists the routes.',
    }
    const server = createServer((request, response) => {
      const [status, body] = answers[request.url!.split('?')[0]!] ?? [404, gone]
      response.writeHead(status, { 'content-type': 'application/json' })
      response.end(JSON.stringify(status === 200 ? body : { error: body }))
    })
    onTestFinished(() => void server.close())
    await once(server.listen(0, '127.0.0.1'), 'listening')
    const { port } = server.address() as AddressInfo
    const sean = new TestMachine('sean', tempDir('sean'))
    mkdirSync(sean.home)
    const config = { machine: 'sean', sshHost: 'local', hub: `http://127.0.0.1:${port}` }
    writeFileSync(join(sean.home, 'config.json'), JSON.stringify(config))
    writeFileSync(join(sean.home, 'token'), mintToken('machine'), { mode: 0o600 })
    expect(await sean.run(['send', '--at', 'in 1h', 'chas', 'hello'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(
        "The hub is older than this client and does not support 'at', 'withinS'. Nothing was sent.",
      ),
    })
    const older = { code: 1, stderr: expect.stringContaining('This hub is older, and has no scheduled messages.') }
    expect(await sean.run(['later'])).toMatchObject(older)
    expect(await sean.run(['later', 'cancel', newMessageId()])).toMatchObject(older)
  })

  test('a message in the outbox past its time is delivered as soon as the hub is back; a cancelled one is not sent', async () => {
    const own = await startHub()
    const [sean, chas] = [await startMachine(own, 'sean'), await own.join('chas')]
    await own.stop()
    const kept = await sean.run(['send', '--at', 'in 1s', 'chas', 'in a second'], { env })
    expect(kept).toMatchObject({ code: 75, stdout: expect.stringContaining('Delivery: ') })
    const other = await sean.run(['send', '--at', 'in 1h', 'chas', 'in an hour'])
    await until(
      '6 s after the delivery time',
      () => Date.now() > Date.parse(/Delivery: (\S+)/.exec(kept.stdout)![1]!) + 6000,
    )
    await sean.run(['send', '--at', 'in 2h', 'chas', 'in two hours'])
    await own.start()
    const [message] = id.exec(other.stdout)!
    const cancelled = await sean.run(['later', 'cancel', message!])
    expect(cancelled).toMatchObject({ code: 0 })
    const lines = [cancelled, await sean.run(['later', 'cancel', message!])].map(({ stdout }) => stdout).join('')
    expect(lines).toMatch(/^Stored \d messages? for later that waited for the hub \(to chas\)\.$/m)
    const { messages } = await chas.client.call(api.readInbox)
    expect(messages.map(({ body }) => body)).toEqual(['in a second'])
    expect((await sean.run(['later'])).stdout).toMatch(/^to chas · .*, in 2 h\).*\n> in two hours\n\S+\n$/)
  })
})
