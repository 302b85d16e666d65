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

test('what the hub itself tells a machine, its owner hears at once and once, though the machine has read it', async () => {
  // In this process: what makes the hub speak has tests of its own.
  const telegram = await startTelegram()
  telegram.chats.set(group, { type: 'group' })
  const dir = tempDir('hub-notice')
  const tokenFile = join(dir, 'telegram.token')
  writeFileSync(tokenFile, telegram.token, { mode: 0o600 })
  await using hub = new Hub({ dataDir: dir, onBug: () => {}, onStorageError: () => {} })
  using audit = new Audit(join(dir, 'audit.db'), { onError: () => {} })
  const { db } = hub.state
  await hub.submit({ type: 'member.add', name: 'sean', kind: 'human' })
  for (const name of ['seanclaude', 'chasclaude'])
    await hub.submit({ type: 'member.add', name, kind: 'machine', owner: 'sean' })
  const machine = memberByName(db, 'seanclaude')!.id
  db.run(`insert or ignore into member (name, kind, created_at, deleted_at) values ('hub', 'machine', 0, 0)`)
  const hubItself = memberByName(db, 'hub')!.id
  const say = async (body: string, handling?: 'mute') => {
    const id = newMessageId()
    const { seq } = await hub.submit({ type: 'message.send', id, by: hubItself, to: ['seanclaude'], body })
    if (handling) db.run('update delivery set handling = ? where seq = ?', handling, seq)
    return id
  }
  const read = await say('Mail between you and chasclaude is stopped.', 'mute')
  await hub.submit({ type: 'inbox.ack', by: machine, ids: [read] })

  const timing = { pollS: 1, retryMs: 20, lookMs: 20, graceMs: 0 }
  const settings = TelegramSettings.parse({ chatId: group, humans, apiRoot: telegram.url, timing, followAfterS: null })
  const bridge = new TelegramBridge({
    hub,
    settings,
    tokenFile,
    aliveFile: join(dir, 'alive'),
    log: pino({ level: 'silent' }),
    audit,
  })
  onTestFinished(() => bridge.close())
  const [first] = await said(telegram, group, 1)
  expect(first!.text).toBe('sean: the hub wrote to seanclaude:\nMail between you and chasclaude is stopped.')
  expect(first!.entities).toContainEqual({ type: 'text_link', text: 'sean', url: `tg://user?id=${sean.id}` })
  await say('And again.', 'mute')
  await until('the second', () => telegram.said(group).some(({ text }) => text.endsWith('\nAnd again.')))
  expect(telegram.said(group)).toHaveLength(2)
})
