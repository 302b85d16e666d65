import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { TelegramSettings } from '../src/hub/config/telegram.ts'
import { LoopBrake } from '../src/hub/loop-brake.ts'
import { Audit } from '../src/hub/seeing/audit.ts'
import { memberByName } from '../src/hub/state/query/find-member.ts'
import { unreadAfter } from '../src/hub/state/query/inbox.ts'
import { TelegramBridge } from '../src/hub/telegram/bridge.ts'
import { OutgoingWebhooks } from '../src/hub/webhooks/outgoing/outgoing-webhooks.ts'
import type { Post, PostResult } from '../src/hub/webhooks/outgoing/post.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { FakeTelegram } from './support/bot-api.ts'
import { type ClaimingHub, holders, threeHubs } from './support/claiming-hubs.ts'
import { chas, group, humans, jaz, sean } from './support/telegram-hub.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

const log = pino({ level: 'silent' })

async function startTelegram(): Promise<FakeTelegram> {
  const telegram = new FakeTelegram()
  onTestFinished(() => telegram.vanish())
  await telegram.listen()
  telegram.chats.set(group, { type: 'group', title: 'omelasai' })
  for (const { id } of [chas, sean, jaz]) telegram.chats.set(id, { type: 'private' })
  return telegram
}

function startBridge({ hub }: ClaimingHub, telegram: FakeTelegram): TelegramBridge {
  const dir = tempDir('bridge')
  const tokenFile = join(dir, 'telegram.token')
  writeFileSync(tokenFile, telegram.token, { mode: 0o600 })
  const timing = { pollS: 1, requestMs: 20_000, windowMs: 1000, retryMs: 20, lookMs: 50, graceMs: 0 }
  const settings = TelegramSettings.parse({ chatId: group, humans, apiRoot: telegram.url, timing })
  const audit = new Audit(join(dir, 'audit.db'), { onError: error => expect(error).toBeUndefined() })
  const parts = { hub, settings, tokenFile, log, audit, consoleUrl: () => undefined }
  const bridge = new TelegramBridge({ ...parts, aliveFile: join(dir, 'alive') })
  onTestFinished(async () => {
    await bridge.close()
    audit.close()
  })
  return bridge
}

const bodiesOf = ({ hub }: ClaimingHub, name: string) =>
  unreadAfter(hub.state.db, memberByName(hub.state.db, name)!.id, 0, 100).map(({ body }) => body)

const send = (by: number, to: string, body: string) => ({
  ...{ type: 'message.send' as const, id: newMessageId(), by, to: [to], body },
})

test('one hub at a time runs the Telegram bridge; a suspended one stops polling, and its successor continues where it ended', async () => {
  const { hubs, all, h0, h1, h2 } = await threeHubs()
  await h0.hub.submit({ type: 'member.add', name: 'ovh5', kind: 'machine' })
  const ovh5 = memberByName(h0.hub.state.db, 'ovh5')!.id
  const telegram = await startTelegram()
  const bridges = all.map(each => startBridge(each, telegram))
  await until('the holder asks for updates', () => telegram.polls.length > 0)
  await hubs.settled(all)
  expect(bridges.map(bridge => bridge.status().carriedBy)).toEqual([undefined, 'h0', 'h0'])

  // The bridge handles the first update but cannot confirm it, so Telegram sends it again.
  telegram.write(group, sean, '/send ovh5 the first')
  await until('it is stored', () => bodiesOf(h1, 'ovh5').length === 1)
  telegram.spoil('getUpdates', 'hole', { times: 1 })
  telegram.write(group, sean, '/send ovh5 the second')
  await until('both are stored', () => bodiesOf(h1, 'ovh5').length === 2, 90_000)
  await until('both are answered', () => telegram.said(group).length === 2)
  const mail = () => telegram.said(group).filter(({ text }) => text.includes('the one that was stopped'))

  // h0's claim has expired, but h0 has not been notified of that.
  hubs.now += 9000
  await h1.hub.submit(send(ovh5, 'sean', 'not from the one that was stopped'))
  await until('it has tried', () => bridges[0]!.status().trouble?.includes('another hub'))
  expect(mail()).toEqual([])

  telegram.spoil(
    'getUpdates',
    { code: 409, description: 'Conflict: terminated by other getUpdates request' },
    { times: 2 },
  )
  await hubs.pass(3000, [h1, h2])
  const [successor] = holders([h1, h2])
  expect(successor).toBeDefined()
  await until('the message in the chat', () => mail().length > 0)
  telegram.write(group, sean, '/send ovh5 the third')
  await until('the third is stored', () => bodiesOf(h1, 'ovh5').length >= 3, 90_000)
  await hubs.look(all)
  expect(bodiesOf(h1, 'ovh5')).toEqual(['the first', 'the second', 'the third'])
  expect(mail()).toHaveLength(1)
  expect(bridges[0]!.status()).toMatchObject({ carriedBy: successor, trouble: null, lastPollAt: null })
})

test('one hub at a time posts to webhooks; only a post in progress when its claim ran out is repeated, under the same id', async () => {
  const { hubs, all, h0, h1, h2 } = await threeHubs()
  for (const name of ['ana', 'ben']) await h0.hub.submit({ type: 'member.add', name, kind: 'machine' })
  const posts: { hub: string; id: string }[] = []
  const held = Promise.withResolvers<PostResult>()
  let answer = (_: string): Promise<PostResult> => Promise.resolve({ ok: true, status: 200 })
  const webhooks = all.map(({ hub, name, listeners }) => {
    const started = new OutgoingWebhooks({
      ...{ hub, log },
      send: ({ id }: Post) => {
        posts.push({ hub: name, id })
        return answer(name)
      },
    })
    listeners.add(commit => started.committed(commit))
    onTestFinished(() => started.close())
    return started
  })
  await webhooks[1]!.add({ name: 'robot', url: 'http://127.0.0.1:9/', on: ['any', 'refused'], text: true })
  await hubs.settled(all)
  await h2.hub.submit(send(1, 'ben', 'one'))
  await until('it was posted', () => posts.length === 1)
  await hubs.settled(all)

  answer = name => (name === 'h0' ? held.promise : Promise.resolve({ ok: true, status: 200 }))
  await h2.hub.submit(send(1, 'ben', 'two'))
  await until('the post', () => posts.length === 2)
  hubs.now += 9000
  await h2.hub.submit(send(1, 'ben', 'three'))
  await hubs.settled(all)
  expect(posts).toHaveLength(2)
  await hubs.pass(3000, [h1, h2])
  const [successor] = holders([h1, h2])
  await until('the successor has posted', () => posts.length === 4)
  held.resolve({ ok: true, status: 200 })
  await hubs.look(all)
  // The refusal is recorded once, by the hub that received the send, and posted once.
  await h1.hub.submit({ type: 'member.policy', by: 2, inbound: 'refuse' })
  await expect(h1.hub.submit(send(1, 'ben', 'refused'))).rejects.toThrow()
  await until('the refusal was posted', () => posts.length === 5)
  await hubs.look(all)
  expect(hubs.commands('outgoing.note')).toHaveLength(1)
  expect(posts.map(({ hub }) => hub)).toEqual(['h0', 'h0', successor, successor, successor])
  expect(posts[2]!.id).toBe(posts[1]!.id)
  expect(new Set(posts.map(({ id }) => id)).size).toBe(4)
})

test('a scheduled message that is due while two hubs believe they have the duty is delivered once, and its sender notified once', async () => {
  const { hubs, all, h0, h1 } = await threeHubs()
  for (const name of ['ana', 'ben']) await h0.hub.submit({ type: 'member.add', name, kind: 'machine' })
  const later = { ...send(1, 'ben', 'later'), at: Date.now() + 1100 }
  await h0.hub.submit(later)
  await until('it is due', () => h1.hub.steadyNow > later.at + 1)
  const deliver = { type: 'later.deliver', id: later.id } as const
  await Promise.all([h0, h1].map(({ hub }) => hub.submit(deliver)))
  await hubs.settled(all)
  for (const hub of all) expect(bodiesOf(hub, 'ben')).toEqual(['later'])
})

test('a loop over several hubs is braked once, even if the hub that detected it first could not report it', async () => {
  const { hubs, all, h0, h1, h2 } = await threeHubs()
  for (const name of ['ana', 'ben']) await h0.hub.submit({ type: 'member.add', name, kind: 'machine' })
  await hubs.settled(all)
  const settings = { messages: 10, windowS: 300, repeats: 5, pauseS: 600 }
  for (const { hub, listeners } of [h1, h2]) {
    const brake = new LoopBrake(hub, settings, () => {})
    listeners.add(commit => brake.watch(commit))
  }
  // h0 has no brake, as if it had ended right after the entry that completed the loop.
  for (let n = 0; n < 12; n++) {
    const { hub } = n === 10 ? h0 : n % 2 ? h1 : h2
    await hub.submit(send((n % 2) + 1, n % 2 ? 'ana' : 'ben', `${n}`)).catch(() => {})
    await hubs.settled(all)
  }
  await until('it is braked', () => hubs.commands('pair.brake').length > 0)
  await hubs.settled(all)
  expect(hubs.commands('pair.brake')).toHaveLength(1)
  await expect(h0.hub.submit(send(1, 'ben', 'again'))).rejects.toMatchObject({ code: 'rate_limited' })
  expect(h2.hub.state.position.outcomes).toBe(h1.hub.state.position.outcomes)
})
