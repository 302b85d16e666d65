import { rmSync, utimesSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import type { TestHub, TestMember } from './support/hub.ts'
import { startMachine } from './support/machine.ts'
import { group, humans, inboxOf, said, sean, startTelegramHub, tell } from './support/telegram-hub.ts'
import { until } from './support/until.ts'

test('mail that a machine without a session leaves unread is told to its owner once; the answer goes to the sender, and the copy says by whom', async () => {
  const { hub, telegram } = await startTelegramHub({ followAfterS: 1 })
  const machine = await startMachine(hub, 'seanclaude', 'sean')
  const chasclaude = await hub.join('chasclaude', 'machine')
  const sent = await chasclaude.client.call(api.sendMessage, {
    body: { to: 'seanclaude', body: 'Is the migration done?' },
  })
  const [notice] = await said(telegram, group, 1)
  expect(notice!.text).toMatch(
    new RegExp(
      `^sean: seanclaude has not read this; no session yet\\.\nchasclaude → seanclaude #${sent.seq} · just now\nIs the migration done\\?\nReply to answer chasclaude`,
    ),
  )
  expect(notice!.entities).toContainEqual({ type: 'text_link', text: 'sean', url: `tg://user?id=${sean.id}` })

  telegram.write(group, sean, 'Since this morning.', { reply_to: notice!.id })
  expect(await inboxOf(chasclaude, 1)).toMatchObject([
    { from: 'sean', fromKind: 'human', replyTo: sent.id, body: 'Since this morning.' },
  ])
  // There is one notice: another check does not repeat it, nor does a restart.
  await hub.crashAndRestart()
  const second = await tell(chasclaude, 'seanclaude', 'And the other one?')
  const next = await until('the notice', () => telegram.said(group).find(({ text }) => text.includes(`#${second} `)))
  expect(next.text).not.toContain(`#${sent.seq} `)
  expect(telegram.said(group).filter(({ text }) => text.includes(`#${sent.seq} `))).toHaveLength(1)

  const third = await tell(chasclaude, 'seanclaude', 'And the third?')
  await until('its notice', () => telegram.said(group).find(({ text }) => text.includes(`#${third} `)))
  expect(telegram.said(group).filter(({ text }) => text.includes(`#${second} `))).toHaveLength(1)

  const session = await machine.mcp()
  const { text } = await until('the inbox', async () => {
    const answer = await session.call('inbox')
    return answer.text.includes('migration') && answer
  })
  expect(text).toMatch(/from chasclaude \(machine\) · .* · answered by sean(?: ·.*)?\n> Is the migration done\?/)
  expect((await machine.run(['inbox'])).stdout).toContain('answered by sean')
})

test('/follow says when: at once, never, after a while; only a machine’s owner says so', async () => {
  const { hub, telegram } = await startTelegramHub({ followAfterS: null })
  await hub.join('seanclaude', 'machine', 'sean')
  const seanclaude = hub.client((await hub.join('seanclaude', 'machine')).token)
  const chasclaude = await hub.join('chasclaude', 'machine')
  const ask = async (text: string) => {
    const message = telegram.write(group, sean, text)
    return (await until(`an answer to ${text}`, () => telegram.sent.find(({ replyTo }) => replyTo === message))).text
  }
  await tell(chasclaude, 'seanclaude', 'unheard')
  expect(await ask('/follow seanclaude 5m')).toBe(
    'seanclaude: you are notified of messages that stay unread for 5 min while it has no session.',
  )
  expect(telegram.sent.every(({ text }) => !text.includes('unheard'))).toBe(true)
  expect(await ask('/follow chasclaude always')).toBe('chasclaude is not yours: only its owner follows it.')
  // The owner is notified although a session is online.
  await seanclaude.call(api.heartbeat, { body: { session: 's1', client: 'test/1' } })
  expect(await ask('/follow seanclaude always')).toBe(
    'seanclaude: you are notified of all its unread messages at once.',
  )
  await until('the notice', () =>
    telegram.sent.find(({ text }) => text.includes('unheard') && text.includes('it is online')),
  )
  expect(await ask('/follow seanclaude off')).toBe('seanclaude: you get no notices of its messages.')
  await tell(chasclaude, 'seanclaude', 'silence')
  // A human is not notified of their own messages to their machine.
  expect(await ask('/follow seanclaude default')).toBe('seanclaude: you get no notices of its messages.')
  expect(telegram.sent.some(({ text }) => text.includes('silence'))).toBe(false)
})

test('T16 in quiet hours only urgent messages arrive, three an hour from one sender; the rest follow afterwards', async () => {
  const always = { quiet: ['00:00', '23:59'], timezone: 'Pacific/Kiritimati' }
  const { hub, telegram } = await startTelegramHub({ humans: { ...humans, sean: { id: sean.id, ...always } } })
  const now = new Intl.DateTimeFormat('en-GB', {
    hour: '2-digit',
    minute: '2-digit',
    timeZone: always.timezone,
  }).format()
  if (now === '23:59') return
  const ovh5 = await hub.join('ovh5')
  await tell(ovh5, 'sean', 'not now')
  for (let n = 1; n <= 4; n++) await tell(ovh5, 'sean', `fire ${n}`, { intent: 'urgent' })
  await tell(ovh5, 'jaz', 'hello jaz')
  const texts = (await said(telegram, group, 4)).map(({ text }) => text).join('\n')
  expect(texts).toContain('fire 3')
  expect(texts).toContain('hello jaz')
  expect(texts).toContain('urgent')
  for (const held of ['fire 4', 'not now']) expect(texts).not.toContain(held)
  expect(
    (await hub.client(hub.adminToken).call(api.telegramStatus)).people.find(({ name }) => name === 'sean')!.waiting,
  ).toBe(2)
})

test('T16 who is on mute waits, unless it is urgent, and comes after /unmute or when the time is over', async () => {
  const { hub, telegram } = await startTelegramHub()
  const ovh5 = await hub.join('ovh5')
  const mute = telegram.write(group, sean, '/mute ovh5 1h')
  expect((await until('its answer', () => telegram.sent.find(({ replyTo }) => replyTo === mute))).text).toMatch(
    /^Messages from ovh5 wait until \d\d:\d\d;/,
  )
  await tell(ovh5, 'sean', 'later')
  await tell(ovh5, 'sean', 'now', { intent: 'urgent' })
  await until('the urgent message', () => telegram.sent.find(({ text }) => text.endsWith('\nnow')))
  expect(telegram.sent.some(({ text }) => text.endsWith('\nlater'))).toBe(false)
  telegram.write(group, sean, '/unmute ovh5')
  await until('the rest', () => telegram.sent.find(({ text }) => text.endsWith('\nlater')))
})

/** Posts a message to the group and waits until it is recorded, as are then all earlier posts. */
async function settled(hub: TestHub, from: TestMember): Promise<void> {
  await tell(from, 'sean', 'and then')
  await until('all notices are recorded', async () => {
    const { people } = await hub.client(hub.adminToken).call(api.telegramStatus)
    return people.every(({ waiting }) => waiting === 0)
  })
}

test('a loop of two machines that the hub stops, its owner hears of at once and once, though the machine has read of it', async () => {
  const off = { sends: null, pair: null, broadcasts: null, reads: null, failures: null, streamsPerToken: null }
  const { hub, telegram } = await startTelegramHub({ followAfterS: null }, { limits: { ...off, loop: {} } })
  const seanclaude = await hub.join('seanclaude', 'machine', 'sean')
  const chasclaude = await hub.join('chasclaude')
  let last = ''
  for (let n = 0; n < 31; n++) {
    const [from, to] = n % 2 === 0 ? [chasclaude, 'seanclaude'] : [seanclaude, 'chasclaude']
    last = (await from.client.call(api.sendMessage, { body: { to, body: `text ${n}` } })).id
  }
  const notice = await until('the message of the hub', async () =>
    (await seanclaude.client.call(api.readInbox)).messages.find(({ from }) => from === 'hub'),
  )
  await seanclaude.client.call(api.ackInbox, { body: { ids: [notice.id, last] } })
  const [told] = await said(telegram, group, 1)
  expect(told!.text).toMatch(
    /^sean: the hub wrote to seanclaude:\nMessages between chasclaude and you are stopped until/,
  )
  await settled(hub, chasclaude)
  await hub.crashAndRestart()
  await tell(chasclaude, 'sean', 'after')
  expect((await said(telegram, group, 3))[2]!.text).toContain('after')
})

test('a hub that was down reports it once when it is back', async () => {
  const { hub, telegram } = await startTelegramHub({ timing: { downMs: 600_000 } })
  await hub.stop('SIGKILL')
  const alive = join(hub.dataDir, 'telegram.alive')
  const then = new Date(Date.now() - 3 * 3600_000)
  utimesSync(alive, then, then)
  telegram.spoil('sendMessage', 'cut', { times: 3 })
  await hub.start()
  const [notice] = await said(telegram, group, 1)
  expect(notice!.text).toMatch(/^The hub is back\. It was down for 3 h, from \d{4}-\d\d-\d\d \d\d:\d\d UTC\./)
  const ovh5 = await hub.join('ovh5')
  await settled(hub, ovh5)
  await hub.crashAndRestart()
  await tell(ovh5, 'sean', 'after')
  expect((await said(telegram, group, 3))[2]!.text).toContain('after')
  // More than a day, which is longer than Telegram stores updates.
  await hub.stop()
  const longAgo = new Date(Date.now() - 30 * 3600_000)
  utimesSync(alive, longAgo, longAgo)
  await hub.start()
  expect((await said(telegram, group, 4))[3]!.text).toContain('Telegram stores messages to me for 24 hours')
  rmSync(alive)
})

test('mail for a project that has no session is told to the owner once, though other sessions of the machine live; people write to projects', async () => {
  const { hub, telegram } = await startTelegramHub({ followAfterS: 1 })
  const seanclaude = await hub.join('seanclaude', 'machine', 'sean')
  const chasclaude = await hub.join('chasclaude', 'machine')
  const beat = (member: TestMember, session: string, project: string) =>
    member.client.call(api.heartbeat, { body: { session, client: 'test/1', project } })
  await beat(seanclaude, 's1', 'billing')
  await seanclaude.client.call(api.endSession, { query: { session: 's1' } })
  await beat(chasclaude, 's1', 'web')
  const live = setInterval(() => void beat(seanclaude, 's2', 'shop').catch(() => {}), 2000)
  onTestFinished(() => clearInterval(live))
  await beat(seanclaude, 's2', 'shop')
  await tell(chasclaude, 'seanclaude', 'for whoever reads')
  await tell(chasclaude, 'seanclaude/shop', 'for a live project')
  const { seq } = await chasclaude.client.call(api.sendMessage, {
    body: { to: 'seanclaude/billing', body: 'Is the invoice out?', fromProject: 'web' },
  })
  const [notice] = await said(telegram, group, 1)
  expect(notice!.text).toMatch(
    new RegExp(
      `^sean: seanclaude/billing has not read this; no session of billing since just now; 1 other session of seanclaude runs\\.\nchasclaude/web → seanclaude/billing #${seq} · just now\nIs the invoice out\\?\nReply to answer chasclaude`,
    ),
  )
  // The answer goes back to the project that asked.
  telegram.write(group, sean, 'On Friday.', { reply_to: notice!.id })
  expect(await inboxOf(chasclaude, 1)).toMatchObject([{ from: 'sean', body: 'On Friday.', project: 'web' }])

  const ask = async (text: string) => {
    const message = telegram.write(group, sean, text)
    return (await until(`an answer to ${text}`, () => telegram.sent.find(({ replyTo }) => replyTo === message))).text
  }
  expect(await ask('/send seanclaude/biling hello')).toBe(
    "seanclaude has no project 'biling'. Nothing was sent. Did you mean:",
  )
  expect(await ask('/send sean/billing hello')).toBe(
    "Only machines have projects, so 'sean/billing' names nobody. Nothing was sent. Did you mean:",
  )
  expect(await ask('/send SeanClaude/Billing: as a person')).toMatch(
    /^seanclaude: no session of billing since .*; 1 other session of seanclaude runs; it waits there\.$/,
  )
  expect(await ask('/machines')).toMatch(/seanclaude: online in shop, 4 unread/)
  telegram.write(group, sean, '/send chasclaude/web, seanclaude/shop: to two')
  expect(await inboxOf(chasclaude, 2)).toMatchObject([{}, { from: 'sean', body: 'to two', project: 'web' }])
  expect((await inboxOf(seanclaude, 5)).map(({ project }) => project)).toEqual([
    undefined,
    'shop',
    'billing',
    'billing',
    'shop',
  ])
  // There is one notice: another check does not repeat it, nor does a restart.
  await hub.crashAndRestart()
  await beat(seanclaude, 's2', 'shop')
  const second = await tell(chasclaude, 'seanclaude/billing', 'And now?')
  const next = await until('the notice', () => telegram.said(group).find(({ text }) => text.includes(`#${second} `)))
  expect(next.text).not.toContain(`#${seq} `)
})

test('a session that waits at a permission prompt is told to its owner once: where and of which tool; /follow ends that', async () => {
  const { hub, telegram } = await startTelegramHub({ timing: { promptMs: 60_000 } })
  await hub.join('seanclaude', 'machine', 'sean')
  const seanclaude = hub.client((await hub.join('seanclaude', 'machine')).token)
  await hub.join('zoeclaude', 'machine', 'sean')
  const last = hub.client((await hub.join('zoeclaude', 'machine')).token)
  const prompt = (id: string, waitedMs: number, tool?: string) => ({
    id,
    ...(tool && { tool }),
    since: new Date(Date.now() - waitedMs).toISOString(),
  })
  const beat = (prompt?: object, project: string | undefined = 'shop') =>
    seanclaude.call(api.heartbeat, {
      body: { session: 's1', client: 'test/1', ...(project && { project }), ...(prompt && { prompt }) } as never,
    })
  const told = () =>
    telegram.said(group).filter(({ text }) => /seanclaude.* waits for you at a permission prompt/.test(text))
  const ask = async (text: string) => {
    const message = telegram.write(group, sean, text)
    return (await until(`an answer to ${text}`, () => telegram.sent.find(({ replyTo }) => replyTo === message))).text
  }
  let looks = 0
  // No notice for a prompt that has not waited long enough, nor for an answered one.
  await beat(prompt('young', 10_000, 'Read'))
  await beat()
  await beat(prompt('one', 3 * 60_000, 'Bash'))
  const first = await until('the notice', () => told()[0])
  expect(first.text).toBe(
    'sean: seanclaude/shop waits for you at a permission prompt of Bash, for 3 min now.\nAnswer it there; it cannot be answered from here. No more of these: /follow seanclaude prompts off',
  )
  await nextCheck()
  // One notice per prompt, even after a restart; the next prompt gets another.
  await hub.crashAndRestart()
  await beat(prompt('one', 4 * 60_000, 'Bash'))
  await beat(prompt('two', 2 * 60_000, 'mcp__shop__pay'))
  await until('the next', () => told().find(({ text }) => text.includes('mcp__shop__pay')))
  expect(told().filter(({ text }) => text.includes('Bash'))).toHaveLength(1)

  expect(await ask('/follow seanclaude prompts maybe')).toMatch(/^Usage: \/follow MACHINE/)
  expect(await ask('/follow seanclaude prompts off')).toBe('seanclaude: you get no notices of permission prompts.')
  await beat(prompt('three', 2 * 60_000, 'Write'))
  expect(await ask('/follow')).toMatch(/seanclaude: .*; you get no notices of permission prompts\n/)
  await nextCheck()
  expect(told().some(({ text }) => text.includes('Write'))).toBe(false)
  expect(await ask('/follow seanclaude prompts on')).toBe(
    'seanclaude: you are notified when a session has waited for 2 min at a permission prompt.',
  )
  await until('the third', () => told().find(({ text }) => text.includes('Write')))

  // A session that reports another prompt with every heartbeat causes at most twelve notices an hour.
  for (let n = 0; n < 20; n++) {
    await beat(prompt(`flood-${n}`, 2 * 60_000, `Flood${n}`))
    if (n < 9) await until('it', () => told().find(({ text }) => text.includes(`Flood${n},`)))
  }
  await nextCheck()
  expect(told()).toHaveLength(12)

  /** Waits until the bridge has recorded its notices and checked all machines again, by a new prompt that causes a notice. */
  async function nextCheck() {
    const tool = `Look${++looks}`
    await last.call(api.heartbeat, {
      body: { session: 's1', client: 'test/1', prompt: prompt(tool, 3 * 60_000, tool) },
    })
    await until('the notice after a check', () => telegram.said(group).find(({ text }) => text.includes(`${tool},`)))
  }
})
