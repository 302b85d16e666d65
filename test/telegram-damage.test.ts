import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pino } from 'pino'
import { expect, onTestFinished, test } from 'vitest'
import { TelegramSettings } from '../src/hub/config/telegram.ts'
import { openHub } from '../src/hub/open-hub.ts'
import { Audit } from '../src/hub/seeing/audit.ts'
import { memberByName } from '../src/hub/state/query/find-member.ts'
import { TelegramBridge } from '../src/hub/telegram/bridge.ts'
import { newMessageId } from '../src/protocol/ids.ts'
import { startTelegram } from './support/bot-api.ts'
import { group, humans, said } from './support/telegram-hub.ts'
import { tempDir } from './support/temp.ts'

/** Opens a hub in this process, and returns a function that starts its bridge to a fake Telegram. All of them end with the running test. */
async function startInProcess() {
  const telegram = await startTelegram()
  telegram.chats.set(group, { type: 'group' })
  const dir = tempDir('in-process')
  const tokenFile = join(dir, 'telegram.token')
  writeFileSync(tokenFile, telegram.token, { mode: 0o600 })
  const hub = openHub({ dataDir: dir, onBug: () => {}, onStorageError: () => {} })
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
    const rest = { log, audit, consoleUrl: () => undefined }
    const started = new TelegramBridge({ hub, settings, tokenFile, aliveFile: join(dir, 'alive'), ...rest })
    // Closed before the hub that it uses.
    onTestFinished(() => started.close())
  }
  return { hub, telegram, bridge }
}

test('a text damaged by the disk is not shown as if it were the original', async () => {
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
