import { writeFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { isBlank } from '../src/protocol/messages.ts'
import { visible } from '../src/text/visible.ts'
import { hostileBodies } from './support/hostile-text.ts'
import type { TestMember } from './support/hub.ts'
import { chas, group, humans, inboxOf, said, sean, startTelegramHub, tell } from './support/telegram-hub.ts'
import { until } from './support/until.ts'

/** Returns the text of a message without the line above it. */
const textOf = ({ text }: { text: string }) => text.slice(text.indexOf('\n') + 1)

test("a message to a human reaches the group with a mention, and a reply to it reaches its sender's inbox", async () => {
  const { hub, telegram } = await startTelegramHub()
  const ovh5 = await hub.join('ovh5')
  const sent = await ovh5.client.call(api.sendMessage, { body: { to: 'sean', body: 'The build is red.' } })
  const [shown] = await said(telegram, group, 1)
  expect(shown).toMatchObject({ text: `ovh5 → sean #${sent.seq}\nThe build is red.`, isSilent: false })
  expect(shown!.entities).toContainEqual({ type: 'text_link', text: 'sean', url: `tg://user?id=${sean.id}` })
  await until('the sender’s receipt', async () => {
    const { receipts } = await ovh5.client.call(api.getMessage, { params: { id: sent.id } })
    return receipts[0]!.status === 'acked'
  })

  const written = telegram.write(group, sean, 'On it.', { reply_to: shown!.id })
  const [answer] = await inboxOf(ovh5, 1)
  expect(answer).toMatchObject({ from: 'sean', fromKind: 'human', replyTo: sent.id, body: 'On it.', to: ['ovh5'] })
  await until('the sign for stored', () =>
    telegram.reactions.some(each => each.message === written && each.emoji === '👀'),
  )
  // The machine's answer acks the message that it answers, and is posted in its thread.
  await tell(ovh5, 'sean', 'Thanks.', { replyTo: answer!.id })
  await until('the sign for acked', () =>
    telegram.reactions.some(each => each.message === written && each.emoji === '👍'),
  )
  expect((await said(telegram, group, 3)).at(-1)).toMatchObject({
    text: expect.stringContaining('Thanks.'),
    replyTo: written,
  })
})

test('one message for several people of the group is posted once, and acked for each', async () => {
  const { hub, telegram } = await startTelegramHub()
  const ovh5 = await hub.join('ovh5')
  await tell(ovh5, ['sean', 'jaz'], 'Lunch?')
  const [shown] = await said(telegram, group, 1)
  expect(shown!.text).toMatch(/^ovh5 → (sean, jaz|jaz, sean) #\d+\nLunch\?$/)
  await until('no pending deliveries', async () => (await waiting(hub)) === 0)
  expect(telegram.sent).toHaveLength(1)
})

test('with /here in a private chat a human gets their messages there', async () => {
  const { hub, telegram } = await startTelegramHub({ humans: { ...humans, chas: { id: chas.id, private: true } } })
  const ovh5 = await hub.join('ovh5')
  await tell(ovh5, 'chas', 'for you alone')
  const [shown] = await said(telegram, chas.id, 1)
  expect(shown!.text).toMatch(/^ovh5 → you #\d+\nfor you alone$/)
  telegram.write(sean.id, sean, '/here')
  await said(telegram, sean.id, 1)
  await tell(ovh5, 'sean', 'private too')
  expect((await said(telegram, sean.id, 2))[1]!.text).toContain('private too')
  // A message that cannot be sent to the private chat is not posted to the group: it waits.
  telegram.spoil(
    'sendMessage',
    { code: 403, description: 'Forbidden: bot was blocked by the user' },
    { chat: chas.id, times: 1000 },
  )
  await tell(ovh5, 'chas', 'a secret')
  const [note] = await said(telegram, group, 1)
  expect(note!.text).toMatch(/^chas: I may not write to you in private/)
  telegram.heal()
  telegram.write(group, chas, '/here')
  expect((await said(telegram, group, 3)).map(({ text }) => text).join('\n')).toContain('a secret')
})

test('T01 texts of any length and script arrive completely, in parts that Telegram accepts', async () => {
  const { hub, telegram } = await startTelegramHub({ timing: { windowMs: 100 } })
  const ovh5 = await hub.join('ovh5')
  const words = 'Größe, 構建失敗了。 Done!\n'
  const bodies = [
    'x'.repeat(4_095),
    'x'.repeat(4_096),
    'x'.repeat(4_097),
    words.repeat(800).slice(0, 9_000),
    '&'.repeat(4_096),
    '👨‍👩‍👧‍👦'.repeat(700),
    'שלום עולם '.repeat(600),
    `a${'\u0301'.repeat(6_000)}`,
  ]
  for (const body of bodies) {
    const before = telegram.sent.length
    const seq = await tell(ovh5, 'sean', body)
    await until('no pending deliveries', async () => (await waiting(hub)) === 0)
    const parts = telegram.sent.slice(before)
    expect(parts.map(textOf).join('')).toBe(visible(body))
    expect(parts.length).toBe(Math.ceil(body.length / 3_500))
    parts.forEach((part, index) => {
      expect(part.text).toMatch(
        new RegExp(`^ovh5 → sean #${seq}${parts.length > 1 ? ` \\(${index + 1}/${parts.length}\\)` : ''}\n`),
      )
      expect(part.text.isWellFormed()).toBe(true)
    })
  }
  // Twenty thousand characters are too long for a chat: they are sent as a file, complete.
  const long = 'Größe: one line of many.\n'.repeat(1_000).slice(0, 20_000)
  await tell(ovh5, 'sean', long)
  const file = (await until('the file', () => telegram.sent.find(({ document }) => document)))!
  expect(file.document!.content).toBe(long)
  expect(file.text).toContain('more characters')
})

test('T02 formatting characters in a text are shown literally; every tag is ours', async () => {
  const { hub, telegram } = await startTelegramHub()
  const ovh5 = await hub.join('ovh5')
  const body =
    '<b>bold</b> </code> &lt; &amp;lt; <a href="tg://user?id=1">x</a> _*[]()~` ``` </blockquote><script> & "q" \'s\''
  await tell(ovh5, 'sean', body)
  const [shown] = await said(telegram, group, 1)
  expect(textOf(shown!)).toBe(body)
  expect(shown!.entities.map(({ type }) => type)).toEqual(['bold', 'text_link', 'code', 'blockquote'])
  expect(shown!.entities.at(-1)!.text).toBe(body)
})

test('T03 a flood is sent as digests, in order, within the rate of a group, and nothing is lost', async () => {
  const windowMs = 2_000
  const { hub, telegram } = await startTelegramHub({ timing: { windowMs } })
  const ovh5 = await hub.join('ovh5')
  const seqs = await Promise.all(Array.from({ length: 100 }, (_, n) => tell(ovh5, 'sean', `message ${n} <&>`)))
  await until('all deliveries are complete', async () => (await waiting(hub)) === 0, 90_000)
  const numbers = telegram
    .said(group)
    .flatMap(({ text }) => [...text.matchAll(/→ sean #(\d+)/g)].map(([, seq]) => Number(seq)))
  expect(numbers).toEqual(seqs.toSorted((a, b) => a - b))
  expect(telegram.said(group).some(({ text }) => /^10 messages/.test(text))).toBe(true)
  expectPace(telegram.said(group), windowMs)
})

test('T03 messages sent one after the other above the rate of a group wait for their turn', async () => {
  const windowMs = 5_000
  const { hub, telegram } = await startTelegramHub({ timing: { windowMs } })
  const ovh5 = await hub.join('ovh5')
  for (let n = 1; n <= 21; n++) {
    await tell(ovh5, 'sean', `single ${n}`)
    await said(telegram, group, n, 90_000)
  }
  expect(telegram.said(group).map(({ text }) => text.split('\n')[1])).toEqual(
    Array.from({ length: 21 }, (_, n) => `single ${n + 1}`),
  )
  expectPace(telegram.said(group), windowMs)
})

test('T04 a chat that Telegram limits waits, and only that chat; commands are answered afterwards', async () => {
  const { hub, telegram } = await startTelegramHub({ humans: { ...humans, chas: { id: chas.id, private: true } } })
  const ovh5 = await hub.join('ovh5')
  telegram.spoil('sendMessage', tooMany(1), { chat: group })
  const toldAt = performance.now()
  await tell(ovh5, 'sean', 'to the group')
  telegram.write(group, sean, '/whoami')
  await tell(ovh5, 'chas', 'in private')
  await said(telegram, chas.id, 1)
  expect(telegram.said(group)).toEqual([])
  const shown = await said(telegram, group, 2)
  expect(shown.map(({ text }) => text.split(' ')[0]).sort()).toEqual(['You', 'ovh5'])
  expect(shown[0]!.at - toldAt).toBeGreaterThanOrEqual(1_000)
  // Nothing is sent to that chat for the whole hour. Polls for updates have a delay of their own.
  telegram.spoil('sendMessage', tooMany(3600), { chat: group })
  await tell(ovh5, 'sean', 'much later')
  const tries = () => telegram.calls.filter(method => method === 'sendMessage').length
  const before = await until('the attempt', () => tries() > 4 && tries())
  telegram.spoil('getUpdates', tooMany(1))
  const written = telegram.write(chas.id, chas, '/send ovh5 hello')
  expect(await inboxOf(ovh5, 1)).toMatchObject([{ from: 'chas', body: 'hello' }])
  await until('the reaction', () => telegram.reactions.some(({ message }) => message === written))
  expect(tries() - before).toBeLessThanOrEqual(1)
  expect(telegram.said(group)).toHaveLength(2)
})

for (const fault of ['lose', 'swallow'] as const) {
  test(`T05 a response that is lost (${fault}) causes one repetition with the same number, and nothing else`, async () => {
    const { hub, telegram } = await startTelegramHub({ timing: { requestMs: 500 } })
    const ovh5 = await hub.join('ovh5')
    telegram.spoil('sendMessage', fault)
    const first = await tell(ovh5, 'sean', 'once or twice')
    const second = await tell(ovh5, 'sean', 'once')
    const shown = await said(telegram, group, 3)
    expect(shown.map(({ text }) => text.split('\n')[0])).toEqual(
      [first, first, second].map(seq => `ovh5 → sean #${seq}`),
    )
    await until('no pending deliveries', async () => (await waiting(hub)) === 0)
    expect(telegram.sent).toHaveLength(3)
  })
}

test('T06 a refusal by Telegram blocks nothing: formatting is dropped, dead letters are named, a closed group reopens', async () => {
  const { hub, telegram } = await startTelegramHub()
  const ovh5 = await hub.join('ovh5')
  telegram.spoil('sendMessage', { code: 400, description: "Bad Request: can't parse entities: unexpected end tag" })
  await tell(ovh5, 'sean', '<plain> & simple')
  expect((await said(telegram, group, 1))[0]).toMatchObject({
    text: expect.stringContaining('<plain> & simple'),
    entities: [],
  })

  telegram.spoil('sendMessage', { code: 400, description: 'Bad Request: STRANGE_THING' })
  const dead = await tell(ovh5, 'sean', 'never')
  await tell(ovh5, 'sean', 'after it')
  expect((await said(telegram, group, 2))[1]!.text).toContain('after it')
  const { failed } = await hub.client(hub.adminToken).call(api.telegramStatus)
  expect(failed).toMatchObject([{ seq: dead, name: 'sean', why: expect.stringContaining('STRANGE_THING') }])

  for (const [code, description] of [
    [403, 'Forbidden: bot was kicked from the group chat'],
    [400, 'Bad Request: chat not found'],
  ] as const) {
    telegram.spoil('sendMessage', { code, description }, { times: 1 })
    const before = telegram.sent.length
    await tell(ovh5, 'sean', `after ${code}`)
    const trouble = await until(
      'the trouble is reported',
      async () => (await hub.client(hub.adminToken).call(api.telegramStatus)).trouble,
    )
    expect(trouble).toContain(description)
    await said(telegram, group, before + 1)
  }
})

test('T06 a rejected token ends all polling; the hub continues, and a new token is used without a restart', async () => {
  const { hub, telegram, tokenFile } = await startTelegramHub()
  const ovh5 = await hub.join('ovh5')
  telegram.isRevoked = true
  await until('the trouble is reported', async () =>
    (await hub.client(hub.adminToken).call(api.telegramStatus)).trouble?.includes('401'),
  )
  const asked = telegram.calls.length
  await tell(ovh5, 'sean', 'it waits')
  expect(await ovh5.client.call(api.ready)).toEqual({ ready: true })
  expect(telegram.calls.length - asked).toBeLessThanOrEqual(1)
  telegram.isRevoked = false
  telegram.validToken = '110201543:AAnother-token-of-thirty-five-chars'
  writeFileSync(tokenFile, telegram.validToken)
  expect((await said(telegram, group, 1))[0]!.text).toContain('it waits')
})

test('T20 hidden and active characters are made visible, and credentials are withheld', async () => {
  const { hub, telegram } = await startTelegramHub({ timing: { windowMs: 100 } })
  const ovh5 = await hub.join('ovh5')
  for (const hostile of Object.values(hostileBodies)) {
    const body = isBlank(hostile) ? `${hostile}x` : hostile
    const before = telegram.sent.length
    await tell(ovh5, 'sean', body)
    await until('no pending deliveries', async () => (await waiting(hub)) === 0)
    expect(telegram.sent.slice(before).map(textOf).join('')).toBe(visible(body))
  }
  const before = telegram.sent.length
  await tell(
    ovh5,
    'sean',
    `${ovh5.token} and ${telegram.token} and -----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----, that is all`,
  )
  await said(telegram, group, before + 1)
  expect(textOf(telegram.sent.at(-1)!)).toBe(
    '[Claude Net token withheld] and [bot token withheld] and [private key withheld], that is all',
  )
})

test('T21 after hours without Telegram thousands of messages are sent in order, in a few files', {
  timeout: 180_000,
}, async () => {
  const { hub, telegram } = await startTelegramHub({ timing: { windowMs: 200 } })
  const senders = await Promise.all(['s1', 's2', 's3', 's4'].map(name => hub.join(name)))
  await telegram.vanish()
  const rss = async () => {
    const text = await (await fetch(new URL('/metrics', hub.url))).text()
    return Number(/^claude_net_process_resident_memory_bytes (\S+)$/m.exec(text)![1])
  }
  for (const sender of senders)
    for (let n = 0; n < 50; n++)
      await Promise.all(Array.from({ length: 25 }, () => tell(sender, 'sean', `while you were out ${n}`)))
  const before = await rss()
  await telegram.listen()
  await until('all deliveries are complete', async () => (await waiting(hub)) === 0, 90_000)
  const texts = telegram
    .said(group)
    .map(({ text, document }) => document?.content ?? text)
    .join('\n')
  const numbers = [...texts.matchAll(/→ sean #(\d+)|^#(\d+) s/gm)].map(([, seq, filed]) => Number(seq ?? filed))
  expect(new Set(numbers).size).toBe(5_000)
  expect([...new Set(numbers)]).toEqual([...new Set(numbers)].toSorted((a, b) => a - b))
  expect(telegram.said(group).length).toBeLessThan(60)
  expect((await rss()) - before).toBeLessThan(60 * 1024 * 1024)
})

/** Returns the number of messages being delivered to people. */
async function waiting(hub: { client: (token: string) => TestMember['client']; adminToken: string }): Promise<number> {
  const { people } = await hub.client(hub.adminToken).call(api.telegramStatus)
  return people.reduce((sum, person) => sum + person.waiting, 0)
}

function tooMany(retry_after: number) {
  return { code: 429, description: `Too Many Requests: retry after ${retry_after}`, parameters: { retry_after } }
}

/** Expects that no window of this length has more than 20 messages. */
function expectPace(all: { at: number }[], windowMs: number): void {
  for (const { at } of all)
    expect(all.filter(each => each.at >= at && each.at < at + windowMs).length).toBeLessThanOrEqual(20)
}
