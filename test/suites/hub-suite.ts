import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { api } from '../../src/protocol/api.ts'
import type { ClaudeNetError } from '../../src/protocol/errors.ts'
import { newMessageId } from '../../src/protocol/ids.ts'
import type { HeartbeatRequest } from '../../src/protocol/members.ts'
import type { InboxAnswer, SendRequest } from '../../src/protocol/messages.ts'
import { mintToken } from '../../src/protocol/token.ts'
import { version } from '../../src/protocol/version.ts'
import type { TestHub, TestMember } from '../support/hub.ts'
import { Listener } from '../support/listener.ts'
import { errorOf, raw } from '../support/raw.ts'
import { sharedHub } from '../support/shared-hub.ts'
import { tempDir } from '../support/temp.ts'
import { until } from '../support/until.ts'

/**
 * Tests the promises of the public API, for a hub over any journal. `make` returns a hub that is not started yet and keeps its data in
 * `dataDir`. Tests share one hub, each with new members, and start another one to count or stop things. `knowsSessions` states that every
 * hub knows a session as soon as its heartbeat got a response: with several hubs, the others are notified slightly later
 * (shared-presence.test.ts).
 */
export function hubSuite(
  name: string,
  make: (dataDir: string) => TestHub,
  { knowsSessions = true }: { knowsSessions?: boolean } = {},
): void {
  describe(`a hub over ${name}`, () => {
    const shared = sharedHub(make)
    const start = async () => {
      const own = make(join(tempDir('hub'), 'data'))
      onTestFinished(() => own.close())
      await own.start()
      return own
    }
    describe('join', () => joining(shared, start))
    describe('send', () => sending(shared, start))
    describe('inbox', () => reading(shared))
    describe('receipts', () => receipts(shared))
    if (knowsSessions) describe('presence', () => presence(shared))
    describe('events', () => events(shared))
    describe('restart', () => restarting(start, knowsSessions))
  })
}

type Start = () => Promise<TestHub>

/** The id of no message. */
const never = '00000000-0000-7000-8000-000000000000'

function joining(hub: TestHub, start: Start): void {
  /** Requests a code from the admin's route. */
  async function codeFor(name: string, kind: 'machine' | 'human' = 'machine'): Promise<string> {
    return (await hub.client(hub.adminToken).call(api.invite, { body: { name, kind } })).code
  }

  test('A08: of 20 concurrent uses of one code one succeeds and the others are refused', async () => {
    const ana = newName('ana')
    const code = await codeFor(ana)
    const racers = Array.from({ length: 20 }, () => mintToken('machine'))
    const answers = await Promise.allSettled(
      racers.map(token => hub.client().call(api.join, { body: { code, machine: ana, token } })),
    )
    const winners = racers.filter((_, index) => answers[index]!.status === 'fulfilled')
    expect(winners).toHaveLength(1)
    for (const [index, token] of racers.entries()) {
      const whoAmI = hub.client(token).call(api.listMachines)
      if (token === winners[0]) expect(await whoAmI).toMatchObject({ you: ana })
      else {
        await expect(whoAmI).rejects.toMatchObject({ code: 'unauthorized' })
        expect(answers[index]).toMatchObject({ reason: { code: 'unauthorized' } })
      }
    }
  })

  test('the same exchange may be repeated after a lost response', async () => {
    const ana = newName('ana')
    const body = { code: await codeFor(ana), machine: ana, token: mintToken('machine') }
    const answers = await Promise.all([1, 2, 3].map(() => raw(hub, { path: '/v1/join', body })))
    expect(answers.map(({ status, json }) => ({ status, json }))).toEqual(
      [1, 2, 3].map(() => ({ status: 200, json: { name: ana, kind: 'machine' } })),
    )
    expect(await hub.client(body.token).call(api.listMachines)).toMatchObject({ you: ana })
  })

  test('A08: a used code is refused with any other token, and the first token stays valid', async () => {
    const ana = newName('ana')
    const body = { code: await codeFor(ana), machine: ana, token: mintToken('machine') }
    await hub.client().call(api.join, { body })
    const again = hub.client().call(api.join, { body: { ...body, token: mintToken('machine') } })
    await expect(again).rejects.toMatchObject({ code: 'unauthorized', hint: expect.stringContaining(`invite ${ana}`) })
    expect(await hub.client(body.token).call(api.listMachines)).toMatchObject({ you: ana })
  })

  test('A08: a code for one name cannot be used for another, and is not used up by the attempt', async () => {
    const ana = newName('ana')
    const code = await codeFor(ana)
    const [ben] = await newcomers(hub, 'ben')
    const token = mintToken('machine')
    await expect(hub.client().call(api.join, { body: { code, machine: ben.name, token } })).rejects.toMatchObject({
      code: 'forbidden',
    })
    expect(await ben.client.call(api.listMachines)).toMatchObject({ you: ben.name })
    expect(await hub.client().call(api.join, { body: { code, machine: ana, token } })).toMatchObject({ name: ana })
  })

  test.each([
    ['machine', 'human'],
    ['human', 'machine'],
    ['machine', 'admin'],
  ] as const)('the code of a %s cannot be exchanged for a token of role %s', async (kind, role) => {
    const ana = newName('ana')
    const code = await codeFor(ana, kind)
    const body = { code, machine: ana, token: mintToken(role) }
    await expect(hub.client().call(api.join, { body })).rejects.toMatchObject({ code: 'invalid' })
    await expect(hub.client(body.token).call(api.listMachines)).rejects.toMatchObject({ code: 'unauthorized' })
  })

  test('A08: an unknown code is refused', async () => {
    const ana = newName('ana')
    const body = { code: 'AAAA-BBBB-CCCC-DDDD', machine: ana, token: mintToken('machine') }
    await expect(hub.client().call(api.join, { body })).rejects.toMatchObject({ code: 'unauthorized' })
  })

  test('a code works as a human would type it, in lower case and without dashes', async () => {
    const ana = newName('ana')
    const code = (await codeFor(ana)).toLowerCase().replaceAll('-', '')
    const body = { code, machine: ana, token: mintToken('machine') }
    expect(await hub.client().call(api.join, { body })).toEqual({ name: ana, kind: 'machine' })
  })

  test('a GET of the join script does not use the code; a used code yields a script that fails', async () => {
    const ana = newName('ana')
    const code = await codeFor(ana)
    for (let i = 0; i < 3; i++) {
      const script = await raw(hub, { path: `/join/${code}` })
      expect(script).toMatchObject({ status: 200, headers: { 'content-type': 'text/x-shellscript; charset=utf-8' } })
      expect(script.text).toMatch(
        new RegExp(`'${code}' \\| node .* join '${hub.url.origin}' --machine '${ana}' --code-stdin`),
      )
    }
    await hub.client().call(api.join, { body: { code, machine: ana, token: mintToken('machine') } })
    const spent = await raw(hub, { path: `/join/${code}` })
    expect(spent.status).toBe(200)
    expect(spent.text).toMatch(/exit 1\n$/)
    expect(spent.text).not.toContain('--machine')
  })

  test('messages wait for a member who was invited and has not joined', async () => {
    const ben = newName('ben')
    const [ana] = await newcomers(hub, 'ana')
    const code = await codeFor(ben)
    await send(ana, { to: ben, body: 'welcome' })
    const token = mintToken('machine')
    await hub.client().call(api.join, { body: { code, machine: ben, token } })
    expect(bodies(await hub.client(token).call(api.readInbox))).toEqual(['welcome'])
  })

  test('A08: a second invitation invalidates the first code, whether it is used or not', async () => {
    const ana = newName('ana')
    const [first, second] = [await codeFor(ana), await codeFor(ana)]
    const token = mintToken('machine')
    await expect(hub.client().call(api.join, { body: { code: first, machine: ana, token } })).rejects.toMatchObject({
      code: 'unauthorized',
    })
    expect(await hub.client().call(api.join, { body: { code: second, machine: ana, token } })).toBeTruthy()
  })

  test('joining again keeps the inbox, invalidates the old token and cuts its streams', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    await send(ben, { to: ana.name, body: 'kept' })
    const streams = [
      await new Listener(ana.client).opened(),
      await new Listener(ana.client, { session: 's1' }).opened(),
    ]
    const bystander = await new Listener(ben.client).opened()

    // The old token is valid until the new code is used.
    const code = await codeFor(ana.name)
    expect(await ana.client.call(api.listMachines)).toMatchObject({ you: ana.name, unread: 1 })
    const token = mintToken('machine')
    await hub.client().call(api.join, { body: { code, machine: ana.name, token } })

    await Promise.all(streams.map(stream => stream.ended))
    await expect(ana.client.call(api.readInbox)).rejects.toMatchObject({ code: 'unauthorized' })
    await expect(send(ana, { to: ben.name, body: 'from the dead' })).rejects.toMatchObject({ code: 'unauthorized' })
    await expect(new Listener(ana.client).ended).rejects.toMatchObject({ code: 'unauthorized' })
    expect(bodies(await hub.client(token).call(api.readInbox))).toEqual(['kept'])
    // No other stream was cut.
    await send({ ...ana, client: hub.client(token) }, { to: ben.name, body: 'still there?' })
    expect(await bystander.first(1)).toMatchObject([{ event: 'inbox', data: { from: ana.name } }])
  })

  test('an invitation reports whether the member existed, and cannot change its kind', async () => {
    const ana = newName('ana')
    const admin = hub.client(hub.adminToken)
    const first = await raw(hub, { path: '/v1/admin/invites', token: hub.adminToken, body: { name: ana } })
    expect(first).toMatchObject({ status: 201, json: { name: ana, renewed: false } })
    expect(await admin.call(api.invite, { body: { name: ana } })).toMatchObject({ renewed: true })
    await expect(admin.call(api.invite, { body: { name: ana, kind: 'human' } })).rejects.toMatchObject({
      code: 'conflict',
    })
  })

  test('a machine may have a human as owner; any other owner is refused with the nearest names', async () => {
    const hub = await start()
    const admin = hub.client(hub.adminToken)
    await admin.call(api.invite, { body: { name: 'sean', kind: 'human' } })
    await admin.call(api.invite, { body: { name: 'seanclaude', owner: 'sean' } })
    const { members } = await admin.call(api.listMachines)
    expect(members.find(({ name }) => name === 'seanclaude')).toMatchObject({ kind: 'machine', owner: 'sean' })
    await expect(admin.call(api.invite, { body: { name: 'x', owner: 'seam' } })).rejects.toMatchObject({
      code: 'not_found',
      hint: expect.stringContaining('sean'),
    })
    await expect(admin.call(api.invite, { body: { name: 'x', owner: 'seanclaude' } })).rejects.toMatchObject({
      code: 'not_found',
    })
    expect((await admin.call(api.listMachines)).members.map(member => member.name)).toEqual(['sean', 'seanclaude'])
  })
}

function sending(hub: TestHub, start: Start): void {
  test('a message by name is in one inbox, from the name that the token proves', async () => {
    const [ana, ben, cat] = await newcomers(hub, 'ana', 'ben', 'cat')
    const sent = await send(ana, { to: ben.name, body: 'hello' })
    expect(sent.recipients).toEqual([
      { name: ben.name, kind: 'machine', status: 'stored', online: false, lastSeenAt: null },
    ])
    const inbox = await ben.client.call(api.readInbox)
    expect(inbox).toMatchObject({ unread: 1, more: 0 })
    expect(inbox.messages).toEqual([
      {
        id: sent.id,
        seq: sent.seq,
        from: ana.name,
        fromKind: 'machine',
        to: [ben.name],
        sentAt: sent.sentAt,
        intent: 'request',
        body: 'hello',
      },
    ])
    expect(bodies(await cat.client.call(api.readInbox))).toEqual([])
    expect(bodies(await ana.client.call(api.readInbox))).toEqual([])
  })

  test('a list reaches each member once, even if named repeatedly', async () => {
    const [ana, ben, cat] = await newcomers(hub, 'ana', 'ben', 'cat')
    const sent = await send(ana, {
      to: [cat.name, capitalized(ben.name), `@${cat.name}`, ` ${ben.name} `],
      body: 'hello',
    })
    expect(sent.recipients.map(recipient => recipient.name)).toEqual([cat.name, ben.name])
    expect(bodies(await ben.client.call(api.readInbox))).toEqual(['hello'])
    expect(bodies(await cat.client.call(api.readInbox))).toEqual(['hello'])
  })

  test('all means every machine but the sender, and no human; together with a name it reaches each once', async () => {
    const hub = await start()
    const [ana, ben, cat] = [await hub.join('ana'), await hub.join('ben'), await hub.join('cat')]
    const sean = await hub.join('sean', 'human')
    await send(ana, { to: 'all', body: 'to all' })
    await send(sean, { to: 'ALL', body: 'from sean' })
    await send(ana, { to: ['all', 'sean', 'ben'], body: 'and sean' })
    expect(bodies(await ben.client.call(api.readInbox))).toEqual(['to all', 'from sean', 'and sean'])
    expect(bodies(await cat.client.call(api.readInbox))).toEqual(['to all', 'from sean', 'and sean'])
    expect(bodies(await ana.client.call(api.readInbox))).toEqual(['from sean'])
    expect(bodies(await sean.client.call(api.readInbox))).toEqual(['and sean'])
    expect((await sean.client.call(api.readInbox)).messages[0]).toMatchObject({ to: ['all', 'sean', 'ben'] })
    expect((await ana.client.call(api.readInbox)).messages[0]).toMatchObject({ fromKind: 'human' })
  })

  test('each recipient of all acks only for itself', async () => {
    const hub = await start()
    const [ana, ben, cat] = [await hub.join('ana'), await hub.join('ben'), await hub.join('cat')]
    const { id } = await send(ana, { to: 'all', body: 'to all' })
    await ben.client.call(api.ackInbox, { body: { ids: [id] } })
    expect(bodies(await ben.client.call(api.readInbox))).toEqual([])
    expect(bodies(await cat.client.call(api.readInbox))).toEqual(['to all'])
  })

  test('a typo is an error with the nearest names, and no recipient of the list gets the message', async () => {
    const hub = await start()
    const [ana, sean, jaz] = [await hub.join('ana'), await hub.join('seanclaude'), await hub.join('jazclaude')]
    const refused = await failure(send(ana, { to: ['jazclaude', 'seanclade'], body: 'hello' }))
    expect(refused).toMatchObject({ code: 'not_found', message: expect.stringContaining("'seanclade'") })
    expect(refused.hint).toMatch(/^Did you mean seanclaude/)
    expect(bodies(await sean.client.call(api.readInbox))).toEqual([])
    expect(bodies(await jaz.client.call(api.readInbox))).toEqual([])
    const { members } = await ana.client.call(api.listMachines)
    expect(members.map(({ name }) => name)).toEqual(['ana', 'jazclaude', 'seanclaude'])
  })

  test('a message that would reach no member is an error', async () => {
    const hub = await start()
    const ana = await hub.join('ana')
    await hub.join('sean', 'human')
    await expect(send(ana, { to: 'all', body: 'anybody?' })).rejects.toMatchObject({
      code: 'not_found',
      message: expect.stringContaining('nobody'),
    })
  })

  test('a message to oneself is allowed', async () => {
    const [ana] = await newcomers(hub, 'ana')
    await send(ana, { to: ana.name, body: 'remember' })
    expect((await ana.client.call(api.readInbox)).messages).toMatchObject([{ from: ana.name, body: 'remember' }])
  })

  test('the first send of an id is 201; a repetition is 200 with the same response, and is stored once', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const request = {
      path: '/v1/messages',
      token: ana.token,
      body: { id: newMessageId(), to: ben.name, body: 'hello' },
    }
    const first = await raw(hub, request)
    const again = await raw(hub, request)
    const asList = await raw(hub, { ...request, body: { ...request.body, to: [ben.name] } })
    expect([first.status, again.status, asList.status]).toEqual([201, 200, 200])
    expect(again.json).toEqual(first.json)
    expect(asList.json).toEqual(first.json)
    expect(bodies(await ben.client.call(api.readInbox))).toEqual(['hello'])
  })

  test('a repetition gets the first response even after the message was acked', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const body = { id: newMessageId(), to: ben.name, body: 'hello' }
    const first = await send(ana, body)
    await ben.client.call(api.ackInbox, { body: { ids: [body.id] } })
    expect(await send(ana, body)).toEqual(first)
    expect(bodies(await ben.client.call(api.readInbox))).toEqual([])
  })

  test('one id sent 20 times at once is stored once, and one of the responses is 201', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const request = {
      path: '/v1/messages',
      token: ana.token,
      body: { id: newMessageId(), to: ben.name, body: 'hello' },
    }
    const answers = await Promise.all(Array.from({ length: 20 }, () => raw(hub, request)))
    expect(answers.map(({ status }) => status).sort()).toEqual([...Array(19).fill(200), 201])
    expect(bodies(await ben.client.call(api.readInbox))).toEqual(['hello'])
  })

  test('A22: an id with other content, or from another sender, is a conflict', async () => {
    const [ana, ben, cat] = await newcomers(hub, 'ana', 'ben', 'cat')
    const first = { id: newMessageId(), to: ben.name, body: 'hello' }
    await send(ana, first)
    for (const other of [{ body: 'hullo' }, { to: cat.name }, { intent: 'urgent' as const }, { expiresInS: 60 }]) {
      await expect(send(ana, { ...first, ...other })).rejects.toMatchObject({ code: 'conflict' })
    }
    await expect(send(cat, first)).rejects.toMatchObject({ code: 'conflict' })
    expect(bodies(await ben.client.call(api.readInbox))).toEqual(['hello'])
    expect(bodies(await cat.client.call(api.readInbox))).toEqual([])
  })

  test('an id in capitals is the same id', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const body = { id: newMessageId(), to: ben.name, body: 'hello' }
    const first = await send(ana, body)
    expect(await send(ana, { ...body, id: body.id.toUpperCase() })).toEqual(first)
  })

  test('a refused send does not use up its id', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const id = newMessageId()
    await expect(send(ana, { id, to: 'bne', body: 'hello' })).rejects.toMatchObject({ code: 'not_found' })
    await send(ana, { id, to: ben.name, body: 'hello' })
    expect(bodies(await ben.client.call(api.readInbox))).toEqual(['hello'])
  })

  test('a message without an id gets one from the hub', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const ids = [
      (await send(ana, { to: ben.name, body: 'hello' })).id,
      (await send(ana, { to: ben.name, body: 'hello' })).id,
    ]
    expect((await ben.client.call(api.readInbox)).messages.map(message => message.id)).toEqual(ids)
  })

  test('a message to one member is a request and one to all an inform by default', async () => {
    const hub = await start()
    const [ana, ben] = [await hub.join('ana'), await hub.join('ben')]
    await hub.join('cat')
    for (const [to, intent] of [['ben'], [['ben', 'cat']], ['all'], ['all', 'urgent'], ['ben', 'inform']] as const) {
      await send(ana, { to: to as string | string[], body: 'hello', intent })
    }
    const { messages } = await ben.client.call(api.readInbox)
    expect(messages.map(message => message.intent)).toEqual(['request', 'request', 'inform', 'urgent', 'inform'])
  })

  test('of concurrent messages from many senders none is lost, and the order of each sender is kept', async () => {
    const senders = await Promise.all(['s1', 's2', 's3', 's4'].map(name => hub.join(name)))
    const [ben] = await newcomers(hub, 'ben')
    await Promise.all(
      senders.map(async sender => {
        for (let i = 0; i < 50; i++) await send(sender, { to: ben.name, body: `${sender.name} ${i}` })
      }),
    )
    const first = await ben.client.call(api.readInbox)
    const second = await ben.client.call(api.readInbox, { query: { after: first.cursor } })
    const all = [...first.messages, ...second.messages]
    for (const { name } of senders) {
      const own = all.filter(message => message.from === name).map(message => message.body)
      expect(own).toEqual(Array.from({ length: 50 }, (_, i) => `${name} ${i}`))
    }
    expect(all).toHaveLength(200)
  })
}

function reading(hub: TestHub): void {
  /** Creates ana and ben; ben has unread messages `1`, `2`, … */
  async function withUnread(count: number): Promise<{ hub: TestHub; ana: TestMember; ben: TestMember; ids: string[] }> {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const ids: string[] = []
    for (let i = 1; i <= count; i++) ids.push((await send(ana, { to: ben.name, body: `${i}` })).id)
    return { hub, ana, ben, ids }
  }

  test('an empty inbox has a cursor to continue from', async () => {
    const { ana, ben } = await withUnread(0)
    const { cursor, ...rest } = await ben.client.call(api.readInbox)
    expect(rest).toEqual({ you: ben.name, messages: [], unread: 0, more: 0 })
    await send(ana, { to: ben.name, body: 'hello' })
    expect(bodies(await ben.client.call(api.readInbox, { query: { after: cursor } }))).toEqual(['hello'])
  })

  test('reading consumes nothing', async () => {
    const { ben } = await withUnread(3)
    const first = await ben.client.call(api.readInbox)
    expect(await ben.client.call(api.readInbox)).toEqual(first)
    expect(first).toMatchObject({ unread: 3, more: 0 })
  })

  test('pages join without gap or repetition, each with the exact number of more', async () => {
    const { ben } = await withUnread(7)
    const pages: InboxAnswer[] = []
    let after: string | undefined
    do {
      pages.push(await ben.client.call(api.readInbox, { query: { limit: 3, after } }))
      after = pages.at(-1)!.cursor
    } while (pages.at(-1)!.more > 0)
    expect(pages.map(bodies)).toEqual([['1', '2', '3'], ['4', '5', '6'], ['7']])
    expect(pages.map(({ more }) => more)).toEqual([4, 1, 0])
    expect(pages.map(({ unread }) => unread)).toEqual([7, 7, 7])
    expect(bodies(await ben.client.call(api.readInbox, { query: { after } }))).toEqual([])
  })

  test('a page holds 100 by default', async () => {
    const { ben } = await withUnread(101)
    expect(await ben.client.call(api.readInbox)).toMatchObject({ messages: { length: 100 }, unread: 101, more: 1 })
  })

  test('acks between two pages do not affect them', async () => {
    const { ben, ids } = await withUnread(5)
    const first = await ben.client.call(api.readInbox, { query: { limit: 2 } })
    await ben.client.call(api.ackInbox, { body: { ids: [ids[0]!, ids[3]!] } })
    const second = await ben.client.call(api.readInbox, { query: { limit: 2, after: first.cursor } })
    expect(bodies(second)).toEqual(['3', '5'])
    expect(second).toMatchObject({ unread: 3, more: 0 })
  })

  test('after= accepts the cursor of a page or a bare seq', async () => {
    const { ben } = await withUnread(3)
    const [first] = (await ben.client.call(api.readInbox)).messages
    expect(bodies(await ben.client.call(api.readInbox, { query: { after: String(first!.seq) } }))).toEqual(['2', '3'])
    expect(bodies(await ben.client.call(api.readInbox, { query: { after: '0' } }))).toEqual(['1', '2', '3'])
  })

  test('a cursor of another epoch starts from the first unread: nothing is skipped', async () => {
    const { ben } = await withUnread(3)
    const { cursor } = await ben.client.call(api.readInbox)
    const foreign = `feedfacefeedface:${cursor.split(':')[1]}`
    expect(bodies(await ben.client.call(api.readInbox, { query: { after: foreign } }))).toEqual(['1', '2', '3'])
  })

  test.each(['x', '-1', '1.5', '1e3', 'a:b', ':1', 'a:01', '99999999999999999999'])(
    'after=%s is refused',
    async after => {
      const { ben } = await withUnread(0)
      await expect(ben.client.call(api.readInbox, { query: { after } })).rejects.toMatchObject({ code: 'invalid' })
    },
  )

  test('fetched records the session that was last given a message, which stays unread', async () => {
    const { ben, ids } = await withUnread(2)
    const first = { ids: [ids[0]!, never], session: 's-1' }
    expect(await ben.client.call(api.markFetched, { body: first })).toEqual({ fetched: [ids[0]], unknown: [never] })
    await ben.client.call(api.markFetched, { body: { ids: [ids[0]!], session: 's-2' } })
    const { messages, unread } = await ben.client.call(api.readInbox)
    expect(unread).toBe(2)
    expect(messages.map(message => message.fetchedBy?.session)).toEqual(['s-2', undefined])
  })

  test('an ack is final, and may be repeated', async () => {
    const { ben, ids } = await withUnread(3)
    const request = { body: { ids: [ids[1]!] } }
    expect(await ben.client.call(api.ackInbox, request)).toEqual({ acked: [ids[1]], unread: 2, unknown: [] })
    expect(await ben.client.call(api.ackInbox, request)).toEqual({ acked: [ids[1]], unread: 2, unknown: [] })
    expect(await ben.client.call(api.ackInbox, { body: { ids: [ids[1]!, ids[1]!.toUpperCase()] } })).toEqual({
      acked: [ids[1]],
      unread: 2,
      unknown: [],
    })
    expect(bodies(await ben.client.call(api.readInbox))).toEqual(['1', '3'])
  })

  test('an ack returns the ids that were never in this inbox, and acks the others', async () => {
    const { ana, ben, ids } = await withUnread(1)
    const [cat] = await newcomers(hub, 'cat')
    const { id: forCat } = await send(ana, { to: cat.name, body: 'for cat' })
    expect(await ben.client.call(api.ackInbox, { body: { ids: [forCat, ids[0]!, never] } })).toEqual({
      acked: [ids[0]],
      unread: 0,
      unknown: [forCat, never],
    })
    // The sender may not ack for the recipient either.
    expect(await ana.client.call(api.ackInbox, { body: { ids: [forCat] } })).toMatchObject({ unknown: [forCat] })
    expect(bodies(await cat.client.call(api.readInbox))).toEqual(['for cat'])
  })

  test('fetched changes nothing for an acked message', async () => {
    const { ana, ben, ids } = await withUnread(1)
    await ben.client.call(api.ackInbox, { body: { ids } })
    const before = await ana.client.call(api.getMessage, { params: { id: ids[0]! } })
    await ben.client.call(api.markFetched, { body: { ids, session: 'late' } })
    expect(await ana.client.call(api.getMessage, { params: { id: ids[0]! } })).toEqual(before)
  })

  test('a reply acks the message that it answers, and no other', async () => {
    const { ana, ben, ids } = await withUnread(2)
    const reply = await send(ben, { to: ana.name, body: 'yes', replyTo: ids[0]! })
    expect(bodies(await ben.client.call(api.readInbox))).toEqual(['2'])
    expect((await ana.client.call(api.readInbox)).messages).toMatchObject([{ id: reply.id, replyTo: ids[0] }])
  })

  test('a refused reply acks nothing; nor does one to a message of others', async () => {
    const { ana, ben, ids } = await withUnread(1)
    const [cat] = await newcomers(hub, 'cat')
    await expect(send(ben, { to: 'nobody', body: 'yes', replyTo: ids[0]! })).rejects.toMatchObject({
      code: 'not_found',
    })
    await expect(send(cat, { to: ana.name, body: 'not mine', replyTo: ids[0]! })).rejects.toMatchObject({
      code: 'not_found',
    })
    expect(bodies(await ben.client.call(api.readInbox))).toEqual(['1'])
  })

  test('an expired message leaves the inbox, and a late ack does not change that', async () => {
    const { ana, ben } = await withUnread(0)
    const stream = await new Listener(ana.client).opened()
    const { id, sentAt } = await send(ana, { to: ben.name, body: 'soon gone', expiresInS: 1 })
    await send(ana, { to: ben.name, body: 'stays' })
    const { messages } = await ben.client.call(api.readInbox)
    expect(messages[0]).toMatchObject({ expiresAt: new Date(Date.parse(sentAt) + 1000).toISOString() })
    expect(await stream.first(1)).toMatchObject([
      { event: 'receipt', data: { id, recipient: ben.name, status: 'expired' }, cursor: expect.any(String) },
    ])
    expect(await ben.client.call(api.readInbox)).toMatchObject({ messages: [{ body: 'stays' }], unread: 1 })
    expect(await ben.client.call(api.ackInbox, { body: { ids: [id] } })).toEqual({
      acked: [id],
      unread: 1,
      unknown: [],
    })
    const { receipts } = await ana.client.call(api.getMessage, { params: { id } })
    expect(receipts).toMatchObject([{ status: 'expired', expiredAt: expect.any(String) }])
  })

  test('a message that was acked in time does not expire', async () => {
    const { ana, ben } = await withUnread(0)
    const [acked, left] = [
      await send(ana, { to: ben.name, body: 'read', expiresInS: 1 }),
      await send(ana, { to: ben.name, body: 'not read', expiresInS: 1 }),
    ]
    await ben.client.call(api.ackInbox, { body: { ids: [acked.id] } })
    const status = async (id: string) => {
      const { receipts } = await ana.client.call(api.getMessage, { params: { id } })
      return receipts[0]!.status
    }
    await until('the unread one expires', async () => (await status(left.id)) === 'expired')
    expect(await status(acked.id)).toBe('acked')
    expect(await ben.client.call(api.readInbox)).toMatchObject({ unread: 0 })
  })
}

function receipts(hub: TestHub): void {
  test('the sender sees the state of each recipient, a recipient its own, and other members none', async () => {
    const [ana, ben, cat] = await newcomers(hub, 'ana', 'ben', 'cat')
    const [dan] = await newcomers(hub, 'dan')
    const [eve] = await newcomers(hub, 'eve')
    const { id, sentAt } = await send(ana, { to: [ben.name, cat.name, dan.name], body: 'hello' })
    await cat.client.call(api.markFetched, { body: { ids: [id], session: 'cat-1' } })
    await dan.client.call(api.markFetched, { body: { ids: [id], session: 'dan-1' } })
    await dan.client.call(api.ackInbox, { body: { ids: [id] } })

    const request = { params: { id } }
    const seen = await ana.client.call(api.getMessage, request)
    expect(seen.message).toMatchObject({
      id,
      sentAt,
      from: ana.name,
      to: [ben.name, cat.name, dan.name],
      body: 'hello',
    })
    expect(seen.receipts).toMatchObject([
      { name: ben.name, status: 'stored' },
      { name: cat.name, status: 'fetched', fetchedBySession: 'cat-1', fetchedAt: expect.any(String) },
      { name: dan.name, status: 'acked', fetchedBySession: 'dan-1', ackedAt: expect.any(String) },
    ])
    expect(seen.receipts[0]).not.toHaveProperty('fetchedAt')
    expect(seen.receipts[1]).not.toHaveProperty('ackedAt')

    expect(await ben.client.call(api.getMessage, request)).toEqual({
      message: seen.message,
      receipts: [seen.receipts[0]],
    })
    expect((await cat.client.call(api.getMessage, request)).receipts).toEqual([seen.receipts[1]])
    await expect(eve.client.call(api.getMessage, request)).rejects.toMatchObject({ code: 'not_found' })
  })

  test('A03: a message of others and one that does not exist get the same response', async () => {
    const [ana, ben, eve] = await newcomers(hub, 'ana', 'ben', 'eve')
    const { id } = await send(ana, { to: ben.name, body: 'secret' })
    const [foreign, missing] = await Promise.all(
      [id, never].map(id => raw(hub, { path: `/v1/messages/${id}`, token: eve.token })),
    )
    expect(foreign!.status).toBe(404)
    expect(foreign!.text.replaceAll(id, never)).toBe(missing!.text)
  })
}

function presence(hub: TestHub): void {
  test('a receipt shows whether the recipient is online, and when it was last seen', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const { id } = await send(ana, { to: ben.name, body: 'hello' })
    const receipt = async () => (await ana.client.call(api.getMessage, { params: { id } })).receipts[0]
    expect(await receipt()).toMatchObject({ online: false, lastSeenAt: null })
    await beat(ben, 's1')
    expect(await receipt()).toMatchObject({ online: true, lastSeenAt: expect.any(String) })
    await ben.client.call(api.endSession, { query: { session: 's1' } })
    expect(await receipt()).toMatchObject({ online: false, lastSeenAt: expect.any(String) })
  })

  test('a heartbeat creates its session, with client and start; the end of the last one makes the member offline', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const look = async () => {
      const { members } = await ben.client.call(api.listMachines)
      const { online, lastSeenAt, sessions } = members.find(member => member.name === ana.name)!
      return { online, lastSeenAt, sessions: sessions.map(({ session, client }) => `${session} ${client}`) }
    }
    expect(await look()).toEqual({ online: false, lastSeenAt: null, sessions: [] })
    await beat(ana, 's1')
    await beat(ana, 's2')
    expect(await look()).toMatchObject({ online: true, sessions: ['s1 test/1', 's2 test/1'] })
    expect(await ana.client.call(api.endSession, { query: { session: 's1' } })).toEqual({ ended: true })
    expect(await look()).toMatchObject({ online: true, sessions: ['s2 test/1'] })
    expect(await ana.client.call(api.endSession, { query: { session: 's2' } })).toEqual({ ended: true })
    expect(await look()).toMatchObject({ online: false, lastSeenAt: expect.any(String), sessions: [] })
    expect(await ana.client.call(api.endSession, { query: { session: 's2' } })).toEqual({ ended: false })
  })

  test('a session shows the fields of its last heartbeat, and none of earlier ones', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const look = async () => {
      const { members } = await ben.client.call(api.listMachines)
      return members.find(({ name }) => name === ana.name)!.sessions
    }
    const says = (more: Partial<HeartbeatRequest>) =>
      ana.client.call(api.heartbeat, { body: { session: 's1', client: 'test/1', ...more } })
    const named = { session: 's1', client: 'test/1', since: expect.any(String) }
    const [at, ahead] = ['2026-01-02T03:04:05.678Z', new Date(Date.now() + 3600_000).toISOString()]
    const prompt = { id: 'p1', tool: 'Bash', since: at }
    await says({ branch: 'main', busySince: at, status: 'the invoices', statusSetAt: at, prompt })
    expect(await look()).toEqual([
      {
        ...named,
        branch: 'main',
        busySince: at,
        status: 'the invoices',
        statusSetAt: at,
        prompt: { tool: 'Bash', since: at },
      },
    ])
    // The hub moves times from a clock that is ahead to the present, and a busy session is not idle.
    await says({ idleSince: ahead, status: 'later', statusSetAt: ahead })
    const [{ idleSince, statusSetAt } = {}] = await look()
    for (const time of [idleSince, statusSetAt]) expect(Date.parse(time!)).toBeLessThanOrEqual(Date.now())
    await says({ busySince: at, idleSince: at })
    expect(await look()).toEqual([{ ...named, busySince: at }])
    await says({})
    expect(await look()).toEqual([named])
  })

  test('the response to a heartbeat has the unread count and the version of the hub', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    expect(await beat(ben, 's1')).toEqual({ unread: 0, version })
    await send(ana, { to: ben.name, body: 'hello' })
    expect(await beat(ben, 's1')).toEqual({ unread: 1, version })
  })

  test('a member cannot end the session of another', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    await beat(ana, 's1')
    expect(await ben.client.call(api.endSession, { query: { session: 's1' } })).toEqual({ ended: false })
    const { members } = await ben.client.call(api.listMachines)
    expect(members.find(({ name }) => name === ana.name)).toMatchObject({ online: true })
  })

  test('streams report presence', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const stream = await new Listener(ben.client).opened()
    await beat(ana, 's1')
    await beat(ana, 's1')
    await ana.client.call(api.endSession, { query: { session: 's1' } })
    const ofAna = () => stream.received.filter(({ event, data }) => event === 'presence' && data.name === ana.name)
    await until('ana to come and go', () => ofAna().length >= 2)
    expect(ofAna()).toEqual([
      { event: 'presence', data: { name: ana.name, online: true, lastSeenAt: expect.any(String) } },
      { event: 'presence', data: { name: ana.name, online: false, lastSeenAt: expect.any(String) } },
    ])
  })

  test('a stream opened for a session ends with it, while others of that member continue', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    await beat(ana, 's1')
    await beat(ana, 's2')
    const first = await new Listener(ana.client, { session: 's1' }).opened()
    const second = await new Listener(ana.client, { session: 's2' }).opened()
    await ana.client.call(api.endSession, { query: { session: 's1' } })
    await first.ended
    await send(ben, { to: ana.name, body: 'hello' })
    expect(await second.first(1)).toHaveLength(1)
  })
}

function events(hub: TestHub): void {
  test('all unread messages come first, oldest first, then new ones', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const old = [
      await send(ana, { to: ben.name, body: '1' }),
      await send(ana, { to: ben.name, body: '2', intent: 'urgent' }),
    ]
    const stream = await new Listener(ben.client).opened()
    await stream.first(2)
    const live = await send(ana, { to: ben.name, body: '3' })
    const heard = await stream.first(3)
    expect(heard.map(({ data }) => data.id)).toEqual([...old, live].map(({ id }) => id))
    expect(heard[1]).toMatchObject({
      event: 'inbox',
      data: { seq: old[1]!.seq, from: ana.name, intent: 'urgent', unread: 2 },
      cursor: expect.stringMatching(new RegExp(`^[0-9a-z]+:${old[1]!.seq}$`)),
    })
    expect(heard[2]).toMatchObject({ data: { unread: 3 } })
  })

  test('a stream that was cut before its first event is resumed without a gap: it has received its start', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const { id } = await send(ana, { to: ben.name, body: 'before' })
    const stream = await new Listener(ana.client).opened()
    const cursor = await until('the place to resume from', () => stream.readyAt)
    expect(stream.changes).toEqual([])
    await stream.stop()
    await ben.client.call(api.ackInbox, { body: { ids: [id] } })
    const resumed = await new Listener(ana.client, { cursor }).opened()
    expect(await resumed.first(1)).toMatchObject([{ event: 'receipt', data: { id, status: 'acked' } }])
  })

  test('an event refers to a message and does not contain its text', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    await send(ana, { to: ben.name, body: 'the-secret-text' })
    const [heard] = await (await new Listener(ben.client).opened()).first(1)
    expect(JSON.stringify(heard)).not.toContain('the-secret-text')
  })

  test('more unread messages than a page holds all arrive, in order', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const sent = await Promise.all(Array.from({ length: 250 }, (_, i) => send(ana, { to: ben.name, body: `${i}` })))
    const heard = await (await new Listener(ben.client).opened()).first(250)
    expect(heard.map(({ data }) => data.seq)).toEqual(sent.map(({ seq }) => seq).sort((a, b) => a - b))
  })

  test('a reader that is cut off repeatedly while others send misses and repeats nothing', async () => {
    const [ana, ben, cat] = await newcomers(hub, 'ana', 'ben', 'cat')
    const seqs: number[] = []
    let isSending = true
    const sending = Promise.all(
      [ana, cat].map(async sender => {
        for (let i = 0; i < 150; i++) seqs.push((await send(sender, { to: ben.name, body: `${i}` })).seq)
      }),
    ).finally(() => (isSending = false))
    const heard: number[] = []
    let cursor: string | undefined
    let streams = 0
    while (isSending || heard.length < seqs.length) {
      const stream = await new Listener(ben.client, { cursor }).opened()
      streams++
      await Promise.race([stream.first(20), sending.then(() => stream.first(seqs.length - heard.length))])
      await stream.stop()
      heard.push(...stream.changes.map(({ data }) => data.seq))
      cursor = stream.cursor ?? cursor
    }
    await sending
    expect(streams).toBeGreaterThan(3)
    expect(heard).toEqual([...seqs].sort((a, b) => a - b))
  })

  test('a cursor of another epoch yields all unread messages, like none', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const { seq } = await send(ana, { to: ben.name, body: '1' })
    const stream = await new Listener(ben.client, { cursor: `feedfacefeedface:${seq + 100}` }).opened()
    expect(await stream.first(1)).toMatchObject([{ data: { seq } }])
  })

  test.each(['x', '12', 'epoch:', 'a:b', 'a:-1', 'A:1', 'a:1:2', `${'a'.repeat(33)}:1`])(
    'Last-Event-ID %s is an error, not a silent restart',
    async lastEventId => {
      const [ana] = await newcomers(hub, 'ana')
      const answer = await raw(hub, {
        path: '/v1/events',
        token: ana.token,
        headers: { 'last-event-id': lastEventId },
      })
      expect(answer.status).toBe(400)
      expect(errorOf(answer)).toMatchObject({ code: 'invalid', message: expect.stringContaining('Last-Event-ID') })
    },
  )

  test('receipts arrive as they happen, and only at the sender', async () => {
    const [ana, ben, cat] = await newcomers(hub, 'ana', 'ben', 'cat')
    const [anas, cats] = [await new Listener(ana.client).opened(), await new Listener(cat.client).opened()]
    const { id } = await send(ana, { to: [ben.name, cat.name], body: 'hello' })
    await ben.client.call(api.markFetched, { body: { ids: [id], session: 's1' } })
    await anas.first(1)
    await ben.client.call(api.ackInbox, { body: { ids: [id] } })
    expect(await anas.first(2)).toMatchObject([
      { event: 'receipt', data: { id, recipient: ben.name, status: 'fetched', at: expect.any(String) } },
      { event: 'receipt', data: { id, recipient: ben.name, status: 'acked', at: expect.any(String) } },
    ])
    expect(await cats.first(1)).toMatchObject([{ event: 'inbox' }])
    await send(ben, { to: cat.name, body: 'the next thing that cat hears' })
    expect((await cats.first(2)).map(({ event }) => event)).toEqual(['inbox', 'inbox'])
  })

  test('a new stream gets no old receipts', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const { id } = await send(ana, { to: ben.name, body: 'hello' })
    await ben.client.call(api.ackInbox, { body: { ids: [id] } })
    const stream = await new Listener(ana.client).opened()
    await send(ben, { to: ana.name, body: 'news' })
    expect(await stream.first(1)).toMatchObject([{ event: 'inbox' }])
  })

  test('several receipts of one ack share a seq; only the last has the cursor, so that a cut loses none', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const stream = await new Listener(ana.client).opened()
    await send(ben, { to: ana.name, body: 'a place to resume from' })
    const [{ cursor: before } = {}] = await stream.first(1)
    const ids: string[] = []
    for (let i = 0; i < 3; i++) ids.push((await send(ana, { to: ben.name, body: `${i}` })).id)
    await ben.client.call(api.ackInbox, { body: { ids } })

    const heard = (await stream.first(4)).slice(1)
    expect(heard.map(({ data }) => data.id)).toEqual(ids)
    expect(new Set(heard.map(({ data }) => data.seq)).size).toBe(1)
    expect(heard.map(({ cursor }) => cursor !== undefined)).toEqual([false, false, true])

    // A reader that is cut off after one or two of the three has the earlier cursor, and receives all three again.
    const resumed = await new Listener(ana.client, { cursor: before }).opened()
    expect((await resumed.first(3)).map(({ data }) => data.id)).toEqual(ids)
    const done = await new Listener(ana.client, { cursor: heard[2]!.cursor }).opened()
    await send(ben, { to: ana.name, body: 'news' })
    expect(await done.first(1)).toMatchObject([{ event: 'inbox' }])
  })

  test('a reply arrives as its message and the receipt of the message that it answers, under one cursor', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const stream = await new Listener(ana.client).opened()
    const asked = await send(ana, { to: ben.name, body: 'question' })
    const answer = await send(ben, { to: ana.name, body: 'answer', replyTo: asked.id })
    const heard = await stream.first(2)
    expect(heard.map(({ event, data }) => [event, data.id, data.seq])).toEqual([
      ['inbox', answer.id, answer.seq],
      ['receipt', asked.id, answer.seq],
    ])
    expect(heard.map(({ cursor }) => cursor !== undefined)).toEqual([false, true])
  })

  test('two streams of one member receive the same events', async () => {
    const [ana, ben] = await newcomers(hub, 'ana', 'ben')
    const streams = [await new Listener(ben.client).opened(), await new Listener(ben.client).opened()]
    for (let i = 0; i < 5; i++) await send(ana, { to: ben.name, body: `${i}` })
    const [first, second] = await Promise.all(streams.map(stream => stream.first(5)))
    expect(first).toEqual(second)
  })
}

function restarting(start: Start, knowsSessions: boolean): void {
  test('a hub that was killed keeps tokens, messages, cursors and streams', async () => {
    const hub = await start()
    const [ana, ben] = [await hub.join('ana'), await hub.join('ben')]
    const body = { id: newMessageId(), to: 'ben', body: 'before' }
    const first = await send(ana, body)
    const stream = await new Listener(ben.client).opened()
    const [{ cursor } = {}] = await stream.first(1)

    await hub.crashAndRestart()

    await expect(stream.ended).rejects.toMatchObject({ code: 'unavailable' })
    expect(await send(ana, body)).toEqual(first)
    const inbox = await ben.client.call(api.readInbox)
    expect(inbox).toMatchObject({ messages: [{ body: 'before' }], unread: 1 })
    const resumed = await new Listener(ben.client, { cursor }).opened()
    const { seq } = await send(ana, { to: 'ben', body: 'after' })
    expect(await resumed.first(1)).toMatchObject([{ data: { seq } }])
    expect(seq).toBeGreaterThan(first.seq)
  })

  test('a hub that is stopped ends its streams, and stores when members were last seen', async () => {
    const hub = await start()
    const ana = await hub.join('ana')
    await beat(ana, 's1')
    const look = async () => (await ana.client.call(api.listMachines)).members[0]!
    const { lastSeenAt } = await look()
    const stream = await new Listener(ana.client).opened()
    expect(await hub.stop()).toBe(0)
    await stream.ended
    await hub.start()
    expect(await look()).toMatchObject({ online: false, ...(knowsSessions && { lastSeenAt }) })
  })
}

let groups = 0

/** Returns a name like `ana-7` that no test has used. */
function newName(name: string): string {
  return `${name}-${++groups}`
}

/** Joins new members: `ana-7`, `ben-7`, … */
function newcomers<Names extends string[]>(hub: TestHub, ...names: Names): Promise<{ [I in keyof Names]: TestMember }> {
  groups++
  return Promise.all(names.map(name => hub.join(`${name}-${groups}`))) as Promise<{ [I in keyof Names]: TestMember }>
}

function send(from: Pick<TestMember, 'client'>, body: SendRequest) {
  return from.client.call(api.sendMessage, { body })
}

function beat(member: TestMember, session: string) {
  return member.client.call(api.heartbeat, { body: { session, client: 'test/1' } })
}

function bodies({ messages }: InboxAnswer): string[] {
  return messages.map(message => message.body)
}

function capitalized(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1)
}

/** Returns the error of a call that must fail. */
async function failure(call: Promise<unknown>): Promise<ClaudeNetError> {
  const outcome = await call.then(
    answer => ({ answer }),
    (error: ClaudeNetError) => ({ error }),
  )
  if ('error' in outcome) return outcome.error
  throw new Error(`Not refused: ${JSON.stringify(outcome.answer)}`)
}
