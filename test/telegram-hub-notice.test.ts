import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { Hub } from '../src/hub/hub.ts'
import { Audit } from '../src/hub/seeing/audit.ts'
import { memberByName } from '../src/hub/state/members.ts'
import { TelegramBridge } from '../src/hub/telegram/bridge.ts'
import { TelegramSettings } from '../src/hub/telegram-settings.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { startTelegram } from './support/bot-api.ts'
import { group, humans, said, sean } from './support/telegram-hub.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

/** A hub in this process, with what is needed to give it a bridge to a Telegram of the running test's own. */
async function startInProcess() {
  const telegram = await startTelegram()
  telegram.chats.set(group, { type: 'group' })
  const dir = tempDir('in-process')
  const tokenFile = join(dir, 'telegram.token')
  writeFileSync(tokenFile, telegram.token, { mode: 0o600 })
  const hub = new Hub({ dataDir: dir, onBug: () => {}, onStorageError: () => {} })
  const audit = new Audit(join(dir, 'audit.db'), { onError: () => {} })
  onTestFinished(() => hub.close())
  onTestFinished(() => audit.close())
  await hub.submit({ type: 'member.add', name: 'sean', kind: 'human' })
  for (const name of ['seanclaude', 'chasclaude'])
    await hub.submit({ type: 'member.add', name, kind: 'machine', owner: 'sean' })
  const timing = { pollS: 1, retryMs: 20, lookMs: 20, graceMs: 0 }
  const settings = TelegramSettings.parse({ chatId: group, humans, apiRoot: telegram.url, timing, followAfterS: null })
  const bridge = () => {
    const log = pino({ level: 'silent' })
    const started = new TelegramBridge({ hub, settings, tokenFile, aliveFile: join(dir, 'alive'), log, audit })
    // Before the hub that it speaks with.
    onTestFinished(() => started.close())
  }
  return { hub, telegram, bridge }
}

test('what the hub itself tells a machine, its owner hears at once and once, though the machine has read it', async () => {
  // In this process: what makes the hub speak has tests of its own.
  const { hub, telegram, bridge } = await startInProcess()
  const { db } = hub.state
  const machine = memberByName(db, 'seanclaude')!.id
  db.run(`insert or ignore into member (name, kind, created_at, deleted_at) values ('hub', 'machine', 0, 0)`)
  const hubItself = memberByName(db, 'hub')!.id
  const say = async (body: string) => {
    const id = newMessageId()
    const { seq } = await hub.submit({ type: 'message.send', id, by: hubItself, to: ['seanclaude'], body })
    db.run(`update delivery set handling = 'mute' where seq = ?`, seq)
    return id
  }
  const read = await say('Mail between you and chasclaude is stopped.')
  await hub.submit({ type: 'inbox.ack', by: machine, ids: [read] })
  bridge()
  const [first] = await said(telegram, group, 1)
  expect(first!.text).toBe('sean: the hub wrote to seanclaude:\nMail between you and chasclaude is stopped.')
  expect(first!.entities).toContainEqual({ type: 'text_link', text: 'sean', url: `tg://user?id=${sean.id}` })
  await say('And again.')
  await until('the second', () => telegram.said(group).some(({ text }) => text.endsWith('\nAnd again.')))
  expect(telegram.said(group)).toHaveLength(2)
})

test('a text that the disk has damaged is not shown to people as if it were what was sent', async () => {
  const { hub, telegram, bridge } = await startInProcess()
  const by = memberByName(hub.state.db, 'seanclaude')!.id
  const { seq } = await hub.submit({
    type: 'message.send',
    id: newMessageId(),
    by,
    to: ['sean'],
    body: 'Keep the branch.',
  })
  hub.state.db.run(`update message set body = 'Drop the branch.' where seq = ?`, seq)
  bridge()
  expect((await said(telegram, group, 1))[0]!.text).toMatch(/\n\[The disk of the hub has damaged this text/)
})
