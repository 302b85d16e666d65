import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { TelegramSettings } from '../src/hub/config/telegram.ts'
import { openHub } from '../src/hub/open-hub.ts'
import { Audit } from '../src/hub/seeing/audit.ts'
import { memberByName } from '../src/hub/state/query/find-member.ts'
import { unreadAfter, unreadCount } from '../src/hub/state/query/inbox.ts'
import { TelegramBridge } from '../src/hub/telegram/bridge.ts'
import { BridgeStatus } from '../src/hub/telegram/bridge-status.ts'
import { Handler } from '../src/hub/telegram/in/handler.ts'
import type { Reply } from '../src/hub/telegram/in/send.ts'
import { People } from '../src/hub/telegram/people.ts'
import { api } from '../src/protocol/api.ts'
import { messageIdFor } from '../src/protocol/ids.ts'
import { startTelegram, type User } from './support/bot-api.ts'
import { startMachine } from './support/machine.ts'
import {
  chas,
  group,
  humans,
  inboxOf,
  jaz,
  said,
  sean,
  startTelegramHub,
  type TelegramHub,
  tell,
} from './support/telegram-hub.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

const signsOf = ({ telegram }: TelegramHub, message: number) =>
  telegram.reactions.filter(each => each.message === message).map(({ emoji }) => emoji)

/** Returns the bot's replies to `message`. */
const answerTo = ({ telegram }: TelegramHub, message: number) =>
  until(`an answer to ${message}`, () => telegram.sent.find(({ replyTo }) => replyTo === message))

const auditOf = async ({ hub }: TelegramHub, action = 'telegram') =>
  (await hub.client(hub.adminToken).call(api.listAudit, { query: { action } })).lines

test('T10 an update that is repeated, late, or numbered anew is one message', async () => {
  const all = await startTelegramHub()
  const { hub, telegram } = all
  const ovh5 = await hub.join('ovh5')
  const send = (text: string) => ({ message: telegram.message(group, sean, `/send ovh5 ${text}`) })
  const [one, two, three] = [send('one'), send('two'), send('three')]
  const first = telegram.update(one)
  await inboxOf(ovh5, 1)
  telegram.update(one, first)
  telegram.update(two, first + 50)
  telegram.update(three, first + 20)
  await inboxOf(ovh5, 3)
  // The same chat message in another update: after a week, update numbers may start anew.
  await until('all updates are confirmed', () => telegram.pending === 0)
  telegram.numberFrom(7)
  telegram.update(two)
  telegram.update(send('four'))
  const bodies = (await inboxOf(ovh5, 4)).map(({ body }) => body)
  expect(bodies.toSorted()).toEqual(['four', 'one', 'three', 'two'])
  await hub.crashAndRestart()
  telegram.update(send('five'))
  expect(await inboxOf(ovh5, 5)).toHaveLength(5)
  // Nothing is confirmed twice: after a confirmation, polls have no offset.
  await until('a poll without an offset', () => telegram.polls.at(-1)!.offset === undefined)
})

test('T11 while the disk is full nothing is confirmed to Telegram; it is delivered once there is room', async () => {
  // In this process, where a store can be made full and then get room again.
  const telegram = await startTelegram()
  telegram.chats.set(group, { type: 'group' })
  const dir = tempDir('full')
  const tokenFile = join(dir, 'telegram.token')
  writeFileSync(tokenFile, telegram.token, { mode: 0o600 })
  const fail = (_: unknown, error: unknown) => {
    throw error
  }
  await using hub = openHub({ dataDir: dir, onBug: fail, onStorageError: () => {} })
  using audit = new Audit(join(dir, 'audit.db'), { onError: error => fail(undefined, error) })
  await hub.submit({ type: 'member.add', name: 'ovh5', kind: 'machine' })
  const timing = { pollS: 1, retryMs: 20 }
  const settings = TelegramSettings.parse({ chatId: group, humans, apiRoot: telegram.url, timing })
  const rest = { log: pino({ level: 'silent' }), audit, consoleUrl: () => undefined }
  const bridge = new TelegramBridge({ hub, settings, tokenFile, aliveFile: join(dir, 'alive'), ...rest })
  onTestFinished(() => bridge.close())
  await until('the first poll', () => telegram.polls.length > 0)

  const { pages } = hub.state.db.get<{ pages: number }>('select page_count as pages from pragma_page_count')!
  hub.state.db.execute(`pragma max_page_count = ${pages}`)
  const text = 'z'.repeat(4_000)
  for (let n = 0; n < 5; n++) telegram.write(group, sean, `/send ovh5 ${n} ${text}`)
  await until('the trouble is reported', () => bridge.status().trouble?.includes('disk is full'))
  expect(telegram.polls.every(({ offset }) => offset === undefined)).toBe(true)
  expect(telegram.pending).toBe(5)

  hub.state.db.execute('pragma max_page_count = 1000000')
  const ovh5 = memberByName(hub.state.db, 'ovh5')!.id
  await until('all messages', () => unreadCount(hub.state.db, ovh5) === 5)
  await until('all are confirmed', () => telegram.pending === 0)
  expect(unreadAfter(hub.state.db, ovh5, 0, 10).map(({ body }) => body[0])).toEqual(['0', '1', '2', '3', '4'])
  expect(bridge.status().trouble).toBe(null)
})

test('T12 only the people of hub.json are accepted, by their numeric ids; others get no response and are recorded', async () => {
  const all = await startTelegramHub({ humans: { ...humans, jaz: { username: 'jazimperial' } } })
  const { hub, telegram } = all
  const ovh5 = await hub.join('ovh5')
  await tell(ovh5, 'sean', 'the one to reply to')
  const [shown] = await said(telegram, group, 1)
  const stranger: User = { id: 999, is_bot: false, first_name: 'Mallory', username: 'mallory' }
  const other = -100999
  telegram.chats.set(stranger.id, { type: 'private' })
  telegram.chats.set(other, { type: 'supergroup' })
  const more = { reply_to: shown!.id }
  for (let n = 0; n < 100; n++) telegram.write(stranger.id, stranger, '/start')
  telegram.write(group, stranger, 'me too', more)
  telegram.write(other, sean, '/send ovh5 from another group')
  telegram.write(group, { ...stranger, id: 998, username: 'chaswatkins' }, '/send ovh5 spoofed')
  telegram.write(
    group,
    { id: 1087968824, is_bot: true, first_name: 'Group', username: 'GroupAnonymousBot' },
    'anonymous',
    { ...more, sender_chat: { id: group } },
  )
  telegram.write(group, { id: 777000, is_bot: false, first_name: 'Telegram' }, '/send ovh5 channel')
  telegram.write(group, sean, '/send ovh5 as a channel', { sender_chat: { id: -1, type: 'channel' } })
  telegram.write(group, sean, '/send ovh5 by a bot', { via_bot: telegram.me })
  telegram.write(group, sean, '/send ovh5 forwarded', { forward_origin: { type: 'user', date: 0 } })
  telegram.write(stranger.id, sean, '/send ovh5 in the chat of another')
  telegram.update({ channel_post: telegram.message(other, undefined, '/send ovh5 post') })
  telegram.press(group, stranger, shown!.id, 'aaaaaaaaaaaa:0')
  // Members of the group talk to each other, which the bot ignores even where it receives it.
  telegram.write(group, sean, 'has anybody seen my keys?')
  // These are accepted: with a changed user name, and without one.
  telegram.write(group, { ...sean, username: 'renamed' }, '/send ovh5 still sean')
  const { username: _, ...nameless } = chas
  telegram.write(group, nameless, '/send ovh5 still chas')
  const heard = await inboxOf(ovh5, 2)
  expect(heard.map(({ from, body }) => [from, body])).toEqual([
    ['sean', 'still sean'],
    ['chas', 'still chas'],
  ])
  // The bot sent only the message shown above, and a note to the person who forwarded something.
  expect(
    telegram.sent.filter(({ text }) => !/no session|^Forwarded messages are not passed on/.test(text)),
  ).toHaveLength(1)
  const lines = await auditOf(all)
  expect(new Set(lines.map(({ detail }) => detail))).toEqual(
    new Set(['unknown-user', 'other-chat', 'user-name-of-another', 'not-a-person', 'bot', 'forwarded']),
  )
  expect(
    lines.every(
      ({ result, actor, address }) => result === 'forbidden' && actor === null && address!.startsWith('telegram:'),
    ),
  ).toBe(true)
  expect(lines.filter(({ address }) => address === 'telegram:999').length).toBeGreaterThan(10)
})

test('T13 a reply goes to the sender of the message that it answers, or the bot asks a clear question', async () => {
  const all = await startTelegramHub()
  const { hub, telegram } = all
  const [ovh5, serclaude] = [await hub.join('ovh5'), await hub.join('serclaude')]
  await tell(ovh5, 'chas', 'for chas')
  const [shown] = await said(telegram, group, 1)
  // Sean answers a message to Chas: its sender receives the answer as from Sean.
  telegram.write(group, sean, 'I know it', { reply_to: shown!.id })
  expect(await inboxOf(ovh5, 1)).toMatchObject([{ from: 'sean', body: 'I know it' }])

  // A digest is answered with a number in front, or by a button.
  telegram.spoil('sendMessage', {
    code: 429,
    description: 'Too Many Requests: retry after 1',
    parameters: { retry_after: 1 },
  })
  for (let n = 0; n < 4; n++) await Promise.all([tell(ovh5, 'sean', `o${n}`), tell(serclaude, 'sean', `s${n}`)])
  const digest = await until('a digest', () => telegram.said(group).find(({ text }) => /^\d+ messages/.test(text)))
  const [, seq] = /serclaude → sean #(\d+)/.exec(digest.text)!
  telegram.write(group, sean, `#${seq} by number`, { reply_to: digest.id })
  expect(await inboxOf(serclaude, 1)).toMatchObject([{ body: 'by number' }])
  const unclear = telegram.write(group, sean, 'which one?', { reply_to: digest.id })
  const question = await answerTo(all, unclear)
  expect(question.text).toMatch(/^That was \d+ messages\. Which one do you answer\?$/)
  const button = question.buttons.find(({ label }) => label.endsWith('ovh5'))!
  telegram.press(group, sean, question.id, button.data)
  expect((await inboxOf(ovh5, 2))[1]).toMatchObject({ body: 'which one?' })

  // A reply to one's own message has the same recipient as that message.
  const own = telegram.write(sean.id, sean, '/send ovh5 first')
  await inboxOf(ovh5, 3)
  telegram.write(sean.id, sean, 'and second', { reply_to: own })
  expect((await inboxOf(ovh5, 4))[3]).toMatchObject({ body: 'and second' })

  const gone = telegram.write(group, sean, 'to what?', { reply_to: question.id })
  expect((await answerTo(all, gone)).text).toMatch(/^I no longer know which message this answers\. Nothing was sent/)
  // Replies to messages of other people or another bot are ignored.
  const talk = telegram.write(group, sean, 'right', { reply_to: 424242 })
  telegram.write(group, chas, '/send ovh5 the end')
  expect(await inboxOf(ovh5, 5)).toHaveLength(5)
  expect(signsOf(all, talk)).toEqual([])
})

test('T14 commands are accepted in the forms people type; one that is not understood sends nothing and gets its usage', async () => {
  const all = await startTelegramHub({ timing: { windowMs: 100 } })
  const { hub, telegram } = all
  const ovh5 = await hub.join('ovh5')
  const dashed = await hub.join('ovh-6-b')
  const write = (text: string) => telegram.write(group, sean, text)
  write('/send@otherbot ovh5 not for us')
  write('/SEND ovh5 loud')
  write('/send@ChaSomBot ovh5 addressed')
  write('@chasombot ovh5: mentioned')
  write('/send ovh5\nover\ntwo lines')
  write(`/send ovh5 ${'y'.repeat(3_501)}`)
  write('/send all to everyone')
  const bodies = (await inboxOf(ovh5, 6)).map(({ body }) => body)
  expect(bodies).toEqual(['loud', 'addressed', 'mentioned', 'over\ntwo lines', 'y'.repeat(3_501), 'to everyone'])
  write('/send ovh-6-b dashed')
  expect((await inboxOf(dashed, 2)).map(({ body }) => body)).toEqual(['to everyone', 'dashed'])

  for (const text of ['/send', '/send ovh5', '/mute', '/mute ovh5 soon', '/follow ovh5 often x']) {
    const message = write(text)
    expect((await answerTo(all, message)).text, text).toMatch(/^(Usage: \/|ovh5 is not yours)/)
    await until('the reaction', () => signsOf(all, message).includes('🤔'))
  }
  const forAnother = write('/dance')
  expect((await answerTo(all, write('/dance@chasombot'))).text).toMatch(/^There is no \/dance\./)
  expect(telegram.sent.some(({ replyTo }) => replyTo === forAnother)).toBe(false)
  const picture = telegram.write(sean.id, sean, undefined, { photo: [], caption: 'look' })
  expect((await answerTo(all, picture)).text).toBe('Only text can be passed on. Nothing was sent.')
  expect((await answerTo(all, telegram.write(sean.id, sean, 'hello?'))).text).toMatch(/^Reply to a message of mine/)
})

test('T14 every overview command responds', async () => {
  const all = await startTelegramHub({ timing: { windowMs: 100 } })
  const { hub, telegram } = all
  await hub.join('seanclaude', 'machine', 'sean')
  const ovh5 = await hub.join('ovh5')
  await ovh5.client.call(api.heartbeat, { body: { session: 's1', client: 'test/1' } })
  const seq = await tell(ovh5, 'seanclaude', 'a <text> of some length')
  const ask = async (text: string, chat = group) => (await answerTo(all, telegram.write(chat, sean, text))).text
  expect(await ask('/machines')).toBe('🟢 ovh5: online\n⚪️ seanclaude: no session yet, 1 unread')
  expect(await ask('/inbox')).toBe(
    `you: 0 messages on the way.\nseanclaude: 1 unread message\n#${seq} from ovh5, just now`,
  )
  expect(await ask('/inbox', sean.id)).toContain(': a <text> of some length')
  expect(await ask('/inbox ovh5')).toBe('ovh5 is not one of your machines.')
  expect(await ask(`/inbox ${seq}`)).toBe(`You have no message #${seq} here.`)
  expect(await ask(`/inbox #${seq}`, sean.id)).toBe(`ovh5 → seanclaude #${seq} · just now\na <text> of some length`)
  expect(await ask('/status')).toMatch(
    /^Claude Net \S+: 5 members, 1 online\.\nTo people: 0 waiting\.\nTelegram: last asked just now; told to wait 0 times/,
  )
  expect(await ask('/whoami')).toBe(
    `You are sean (Telegram user ${sean.id}). Yours: seanclaude. Your messages come to the group.`,
  )
  expect(await ask('/help')).toContain('/send NAME TEXT: write to a machine')
  expect(await ask('/start', sean.id)).toContain('/here moves it to this chat.')
  expect(await ask('/follow')).toBe(
    'seanclaude: you are notified of messages that stay unread for 10 min while it has no session; you are notified when a session has waited for 2 min at a permission prompt\n/follow MACHINE 5m|always|off|default, or /follow MACHINE prompts on|off changes it.',
  )
})

test('T15 a button works once, for its addressee, with its original effect', async () => {
  const all = await startTelegramHub()
  const { hub, telegram } = all
  const [ovh5, ovh6] = [await hub.join('ovh5'), await hub.join('ovh6')]
  const message = telegram.write(group, sean, '/send ovh7 hello')
  const question = await answerTo(all, message)
  expect(question.text).toBe("No member is called 'ovh7'. Nothing was sent. Did you mean:")
  expect(question.buttons.map(({ label }) => label)).toEqual(['ovh5', 'ovh6'])
  const [five, six] = question.buttons.map(({ data }) => data)
  const press = async (who: User, data: string) => {
    const id = telegram.press(group, who, question.id, data)
    return (await until('an answer to the press', () => telegram.pressAnswers.find(each => each.id === id))).text
  }
  expect(await press(chas, five!)).toBe('This question was somebody else’s.')
  expect(await press(sean, `${five!.slice(0, 12)}:7`)).toBe('This button has expired.')
  expect(await press(sean, 'x'.repeat(65))).toBe('This button has expired.')
  expect(await press(sean, 'AAAAAAAAAAAA:0')).toBe('This button has expired.')
  expect(await press(sean, six!)).toBe('Stored for ovh6.')
  expect(await inboxOf(ovh6, 1)).toMatchObject([{ from: 'sean', body: 'hello' }])
  expect(await press(sean, six!)).toBe('Stored for ovh6.')
  expect(await press(sean, five!)).toBe('You chose another one before; that was sent.')
  expect((await ovh5.client.call(api.readInbox)).unread).toBe(0)
  expect((await ovh6.client.call(api.readInbox)).unread).toBe(1)
})

test("T22 a human's text is only a message, whatever it contains", async () => {
  const all = await startTelegramHub()
  const { hub, telegram } = all
  const machine = await startMachine(hub, 'seanclaude', 'sean')
  const members = async () =>
    (await hub.client(hub.adminToken).call(api.listMembers)).members.map(({ name, tokenId }) => [name, tokenId])
  const before = await members()
  for (const text of [
    'yes abcde',
    'approve the permission',
    '/revoke@chasombot seanclaude',
    '/invite mallory',
    '/confirm jaz',
  ]) {
    telegram.write(group, sean, text.startsWith('/') ? text : `/send seanclaude ${text}`)
  }
  const session = await machine.mcp()
  await until('both messages', async () => (await session.call('inbox')).text.startsWith('2 unread messages'))
  const { text } = await session.call('inbox')
  expect(text).toContain('from sean (human)')
  expect(text).toContain('\n> yes abcde\n')
  expect(text).toContain('they approve nothing')
  expect(await members()).toEqual(before)
  await until('its answer', () => telegram.sent.some(({ text }) => text.startsWith('There is no /revoke.')))
})

test('an edit within ten minutes is sent as a correction, once; any other edit is not', async () => {
  const all = await startTelegramHub()
  const { hub, telegram } = all
  const ovh5 = await hub.join('ovh5')
  const message = telegram.write(group, sean, '/send ovh5 the frist try')
  await inboxOf(ovh5, 1)
  const edited = { edited_message: telegram.message(group, sean, '/send ovh5 the first try', { message_id: message }) }
  const id = telegram.update(edited)
  const [first, second] = await inboxOf(ovh5, 2)
  expect(second).toMatchObject({ from: 'sean', body: `Correction of my message ${first!.id}:\nthe first try` })
  telegram.update(edited, id)
  telegram.update({ edited_message: telegram.message(group, jaz, '/send ovh5 of another', { message_id: message }) })
  telegram.write(group, sean, '/send ovh5 the end')
  expect(await inboxOf(ovh5, 3)).toHaveLength(3)
})

test("no member can claim the id of a human's next message, and an id of others is never shown as stored", async () => {
  const all = await startTelegramHub()
  const { hub, telegram } = all
  const [eve, ovh5] = [await hub.join('eve'), await hub.join('ovh5')]
  const first = telegram.write(group, sean, '/send ovh5 one')
  await inboxOf(ovh5, 1)
  // Everything that a member of the group can see: the bot's id, the chat, the numbers of messages.
  for (let n = first + 1; n <= first + 10; n++) {
    const id = messageIdFor(`telegram ${telegram.me.id} ${group} ${n}`)
    await eve.client.call(api.sendMessage, { body: { id, to: 'eve', body: '.' } })
  }
  const next = telegram.write(group, sean, '/send ovh5 STOP')
  expect((await inboxOf(ovh5, 2)).map(({ body }) => body)).toEqual(['one', 'STOP'])
  await until('the reaction', () => signsOf(all, next).includes('👀'))
})

test('an update that an older hub stored but did not process keeps its id; if another message has that id, the human is notified', async () => {
  const made = openHub({ dataDir: tempDir('older'), onBug: () => {}, onStorageError: () => {} })
  await using hub = made
  const db = hub.state.db
  for (const name of ['ovh5', 'eve']) await hub.submit({ type: 'member.add', name, kind: 'machine' })
  await hub.submit({ type: 'member.add', name: 'sean', kind: 'human' })
  const [person, eve, ovh5] = ['sean', 'eve', 'ovh5'].map(name => memberByName(db, name)!.id)
  const settings = TelegramSettings.parse({ chatId: group, humans: { sean: { id: sean.id } } })
  const people = new People(hub, settings)
  await people.enrol()
  const replies: [number, Reply][] = []
  const context = {
    ...{ hub, people, settings, status: new BridgeStatus(() => {}), bot: { id: 7, username: 'chasombot' } },
    ...{ consoleUrl: () => undefined, audit: { add: () => {} } },
  }
  const handler = new Handler({
    context,
    retryMs: 10,
    reply: ({ message }, reply) => replies.push([message, reply]),
    answerPress: () => {},
    onBug: error => {
      throw error
    },
  })
  const idOf = (message: number) => messageIdFor(`telegram 7 ${group} ${message}`)
  const send = { type: 'message.send' as const, to: ['ovh5'] }
  await hub.submit({ ...send, id: idOf(1), by: person!, body: 'stored before' })
  await hub.submit({ ...send, to: ['eve'], id: idOf(2), by: eve!, body: '.' })
  const content = (body: string) => JSON.stringify({ person, text: `/send ovh5 ${body}`, isPrivate: false })
  const kept = { kind: 'message' as const, chat: group }
  const updates = ['stored before', 'swallowed?', 'new'].map((body, n) => {
    return { ...kept, update: n, message: n + 1, content: content(body) }
  })
  await hub.submit({ type: 'telegram.receive', updates })
  const stop = new AbortController()
  const running = handler.run(stop.signal)
  await until('all are handled', () => replies.length === 3)
  stop.abort()
  await running
  expect(replies.map(([message, { sign }]) => [message, sign])).toEqual([
    [1, 'stored'],
    [2, 'failed'],
    [3, 'stored'],
  ])
  expect(unreadAfter(db, ovh5!, 0, 10).map(({ body }) => body)).toEqual(['stored before', 'new'])
})
