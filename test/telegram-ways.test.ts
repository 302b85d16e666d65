import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { run } from './support/program.ts'
import {
  chas,
  group,
  humans,
  inboxOf,
  jaz,
  sean,
  startTelegramHub,
  type TelegramHub,
  tell,
} from './support/telegram-hub.ts'
import { until } from './support/until.ts'

const signsOf = ({ telegram }: TelegramHub, message: number) =>
  until(`a sign on ${message}`, () => {
    const signs = telegram.reactions.filter(each => each.message === message).map(({ emoji }) => emoji)
    return signs.length > 0 && signs
  })

/** Returns the bot's replies to `message`. */
const answerTo = ({ telegram }: TelegramHub, message: number) =>
  until(`an answer to ${message}`, () => telegram.sent.find(({ replyTo }) => replyTo === message))

test('T13 lists, mentions anywhere, captions and forwards are each passed on, or refused with a sign and an explanation', async () => {
  const all = await startTelegramHub({ timing: { windowMs: 100 } })
  const { hub, telegram } = all
  const [one, two] = [await hub.join('one'), await hub.join('two')]
  telegram.write(group, sean, '/send one, two: to both')
  telegram.write(group, sean, '/send one, two without a colon')
  telegram.write(group, sean, 'deploy failed; @chasombot one,two: look')
  telegram.write(group, sean, '@chasombot, one: comma')
  const doubtful = telegram.write(group, sean, '/send one, twoo is mistyped')
  const picture = { photo: [{ file_id: 'x' }] }
  const captioned = telegram.write(group, sean, undefined, { ...picture, caption: '/send one see the graph' })
  const bodies = (await inboxOf(one, 5)).map(({ body }) => body)
  const note = '[With this came a photo, which is not passed on.]'
  expect(bodies).toEqual(['to both', 'without a colon', 'look', 'comma', `see the graph\n${note}`])
  expect((await inboxOf(two, 3)).map(({ body }) => body)).toEqual(bodies.slice(0, 3))
  expect((await answerTo(all, captioned)).text).toMatch(/^Your text was passed on, the photo was not\./)
  const question = await answerTo(all, doubtful)
  expect(question.text).toMatch(/^No member is called 'twoo'\. Nothing was sent\./)
  telegram.press(group, sean, question.id, question.buttons[0]!.data)
  expect((await inboxOf(one, 6))[5]).toMatchObject({ body: 'twoo is mistyped', to: ['one'] })

  await tell(one, 'sean', 'a question')
  const shown = await until('it', () => telegram.said(group).find(({ text }) => text.endsWith('a question')))
  telegram.write(group, sean, undefined, { ...picture, caption: 'here', reply_to: shown.id })
  expect((await inboxOf(one, 7))[6]).toMatchObject({ body: `here\n${note}`, replyTo: expect.any(String) })
  telegram.write(group, sean, 'thanks @chasombot', { reply_to: shown.id })
  expect((await inboxOf(one, 8))[7]).toMatchObject({ body: 'thanks @chasombot', replyTo: expect.any(String) })

  for (const [text, more] of [
    ['what do you think, @chasombot?', {}],
    ['/send one forwarded', { forward_origin: { type: 'user', date: 0 } }],
    ['/send one forwarded', { forward_date: 1 }],
    [undefined, { ...picture, caption: '@chasombot' }],
  ] as const) {
    expect(await signsOf(all, telegram.write(group, sean, text, more)), text).toContain('🤔')
  }
  const forwarded = telegram.write(sean.id, sean, 'seen elsewhere', { forward_origin: { type: 'user', date: 0 } })
  expect((await answerTo(all, forwarded)).text).toMatch(/^Forwarded messages are not passed on/)
  // Service messages, and talk in a topic that the bot started, are ignored.
  const root = { message_id: 5, date: 1, chat: { id: group }, from: telegram.me, forum_topic_created: { name: 'x' } }
  const before = telegram.sent.length
  telegram.write(sean.id, sean, undefined, { pinned_message: root })
  telegram.write(group, sean, 'not for the bot', { message_thread_id: 5, reply_to_message: root })
  telegram.write(group, sean, '/send one the end')
  expect(await inboxOf(one, 9)).toHaveLength(9)
  expect(telegram.sent.slice(before).filter(({ text }) => !text.includes('no session'))).toEqual([])

  // A correction has the recipients of the message that it corrects.
  const edited = telegram.write(group, sean, '/send one, two: frist')
  await inboxOf(two, 4)
  telegram.update({ edited_message: telegram.message(group, sean, '/send one, two: first', { message_id: edited }) })
  expect((await inboxOf(two, 5))[4]!.body).toMatch(/^Correction of my message \S+:\nfirst$/)
})

test('T13 a reply to a message shown by /inbox answers that message; only an owner answers on behalf of a machine', async () => {
  const all = await startTelegramHub({ timing: { windowMs: 100 }, followAfterS: null })
  const { hub, telegram } = all
  const ovh5 = await hub.join('ovh5')
  const seanclaude = await hub.join('seanclaude', 'machine', 'sean')
  const seq = await tell(ovh5, 'seanclaude', 'May I?')
  const view = async (text: string, chat: number) => answerTo(all, telegram.write(chat, sean, text))
  const listed = await view('/inbox', group)
  telegram.write(group, jaz, 'I say no', { reply_to: listed.id })
  expect((await inboxOf(ovh5, 1))[0]).toMatchObject({ from: 'jaz', body: 'I say no' })
  expect((await inboxOf(seanclaude, 1))[0]!.answeredBy).toBe(undefined)
  const whole = await view(`/inbox ${seq}`, sean.id)
  telegram.write(sean.id, sean, 'Yes', { reply_to: whole.id })
  expect((await inboxOf(ovh5, 2))[1]).toMatchObject({ from: 'sean', body: 'Yes', replyTo: expect.any(String) })
  expect((await inboxOf(seanclaude, 1))[0]!.answeredBy).toBe('sean')
  // If there are several, one is answered by its number, as in a digest.
  const second = await tell(ovh5, 'seanclaude', 'And now?')
  const both = await view('/inbox', sean.id)
  telegram.write(sean.id, sean, `#${second} now too`, { reply_to: both.id })
  expect((await inboxOf(ovh5, 3))[2]).toMatchObject({ body: 'now too' })
})

test('a broadcast that several machines of one owner leave unread is told once, with all of them', async () => {
  const { hub, telegram } = await startTelegramHub({ followAfterS: 1, timing: { windowMs: 100 } })
  for (const name of ['one', 'two', 'three']) await hub.join(name, 'machine', 'sean')
  await hub.join('jazclaude', 'machine', 'jaz')
  const ovh5 = await hub.join('ovh5')
  const seq = await tell(ovh5, 'all', 'Maintenance at five.')
  const notices = () => telegram.said(group).filter(({ text }) => text.includes(`#${seq} `))
  await until('the notices to both owners', () => notices().length === 2)
  expect(notices().map(({ text }) => text.split('\n').slice(0, 2))).toContainEqual([
    'sean: one has not read this; no session yet.',
    expect.stringMatching(/^ovh5 → one, three, two #\d+ · /),
  ])
  // No notice is posted if the owner has the message in their own inbox.
  const own = await tell(ovh5, ['sean', 'two'], 'For you both.')
  const next = await tell(ovh5, 'two', 'For the machine.')
  await until('the next', () => telegram.said(group).find(({ text }) => text.includes(`two #${next} `)))
  expect(telegram.said(group).filter(({ text }) => text.includes(`#${own}`))).toHaveLength(1)
  expect(notices()).toHaveLength(2)
})

test('T06 an answer in a closed topic goes to the general chat, and the admin is notified; code stays code', async () => {
  const all = await startTelegramHub({ timing: { windowMs: 100 } })
  const { hub, telegram } = all
  const ovh5 = await hub.join('ovh5')
  telegram.write(group, sean, '/send ovh5 a question', { message_thread_id: 50, is_topic_message: true })
  const [asked] = await inboxOf(ovh5, 1)
  telegram.closedTopics.add(50)
  const body = 'It says:\n```sh\nrm -rf <build>\n```\nShall I?'
  await tell(ovh5, 'sean', body, { replyTo: asked!.id })
  const shown = await until('it', () => telegram.said(group).find(({ text }) => text.includes('Shall I?')))
  expect(shown.replyTo).toBe(undefined)
  expect(shown.text).toMatch(/\nIt says:\nrm -rf <build>\nShall I\?$/)
  expect(shown.entities).toContainEqual({ type: 'pre', text: 'rm -rf <build>' })
  const status = await run(['telegram', '--data', hub.dataDir])
  expect(status.stdout).toMatch(/Trouble: A topic of the group takes nothing.*TOPIC_CLOSED/)
  expect(status.stdout).not.toContain('Telegram refuses')
})

test('a send to a human without Telegram says so and names their machine, on every door', async () => {
  const { sean: _, ...others } = humans
  const all = await startTelegramHub({ humans: others, timing: { windowMs: 100 } })
  const { hub, telegram } = all
  await hub.client(hub.adminToken).call(api.putMember, { params: { name: 'sean' }, body: { kind: 'human' } })
  await hub.join('seanclaude', 'machine', 'sean')
  const answer = await answerTo(all, telegram.write(group, chas, '/send sean hello'))
  expect(answer.text).toBe('sean is not on Telegram; their machine is seanclaude.')
  const ovh5 = await hub.join('ovh5')
  const { recipients } = await ovh5.client.call(api.sendMessage, { body: { to: ['sean', 'jaz'], body: 'hi' } })
  expect(recipients).toMatchObject([
    { name: 'sean', telegram: false, machines: ['seanclaude'] },
    { name: 'jaz', telegram: true, machines: [] },
  ])
})

test('check fails for a human whose private chat fails, and without Telegram it names Telegram', async () => {
  const privately = { ...humans, sean: { id: sean.id, private: true }, jaz: { id: jaz.id, private: true } }
  const { hub, telegram } = await startTelegramHub({ humans: privately, timing: { requestMs: 60_000 } })
  const check = () => run(['telegram', 'check', '--data', hub.dataDir])
  telegram.chats.delete(jaz.id)
  telegram.spoil('sendChatAction', { code: 403, description: 'Forbidden: bot was blocked by the user' }, { times: 1 })
  const checked = await check()
  expect(checked.code).toBe(1)
  expect(checked.stdout).toMatch(/^FAIL +sean .*blocked by the user/m)
  expect(checked.stdout).toMatch(/^FAIL +jaz .*chat not found/m)
  expect(checked.stdout).toMatch(/^ok +chas /m)
  telegram.spoil('getMe', 'hole', { times: 100 })
  const lost = await check()
  expect(lost.stdout).toMatch(/Telegram cannot be reached[\s\S]*The hub runs, but gets no response from Telegram/)
  expect(lost.stderr).toBe('')
})
