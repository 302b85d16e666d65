import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { api } from '../../src/protocol/api.ts'
import type { InboxMessage } from '../../src/protocol/messages.ts'
import { FakeTelegram, type User } from './bot-api.ts'
import { type StartHubOptions, TestHub, type TestMember } from './hub.ts'
import { tempDir } from './temp.ts'
import { until } from './until.ts'

/** The group and the people of the example configuration, with ids. */
export const group = -5212813086
export const chas: User = { id: 412587349, is_bot: false, first_name: 'Chas', username: 'ChasWatkins' }
export const sean: User = { id: 523698450, is_bot: false, first_name: 'Sean', username: 'kristofer_sean' }
export const jaz: User = { id: 634709561, is_bot: false, first_name: 'Jaz', username: 'jazimperial' }

export const humans: Record<string, unknown> = {
  chas: { id: chas.id, username: 'ChasWatkins' },
  sean: { id: sean.id, username: 'kristofer_sean' },
  jaz: { id: jaz.id, username: 'jazimperial' },
}

/** Short intervals: waits that take minutes with Telegram take milliseconds to seconds here. */
const timing = {
  pollS: 1,
  requestMs: 1_500,
  windowMs: 1_000,
  retryMs: 20,
  lookMs: 50,
  graceMs: 0,
  promptMs: 120_000,
  downMs: 3_600_000,
}

export interface TelegramHub {
  hub: TestHub
  telegram: FakeTelegram
  tokenFile: string
}

/** Starts a real hub with a bridge to a fake Telegram, where the people have private chats with the bot. Ends with the running test. */
export async function startTelegramHub(
  settings: Record<string, unknown> & { timing?: Partial<typeof timing> } = {},
  config: Record<string, unknown> = {},
  { cold }: Pick<StartHubOptions, 'cold'> = {},
): Promise<TelegramHub> {
  const telegram = new FakeTelegram()
  onTestFinished(() => telegram.vanish())
  await telegram.listen()
  telegram.chats.set(group, { type: 'group', title: 'omelasai' })
  for (const { id } of [chas, sean, jaz]) telegram.chats.set(id, { type: 'private' })
  const dir = tempDir('telegram')
  const tokenFile = join(dir, 'telegram.token')
  writeFileSync(tokenFile, `${telegram.token}\n`, { mode: 0o600 })
  const hub = new TestHub({
    cold,
    config: {
      ...config,
      telegram: {
        tokenFile,
        chatId: group,
        humans,
        apiRoot: telegram.url,
        ...settings,
        timing: { ...timing, ...settings.timing },
      },
    },
  })
  onTestFinished(() => hub.close())
  await hub.start()
  await until('the bridge asks for updates', () => telegram.polls.length > 0)
  return { hub, telegram, tokenFile }
}

/** Returns the unread messages of `member`, once there are `count`. */
export async function inboxOf({ client, name }: TestMember, count: number): Promise<InboxMessage[]> {
  return until(`${count} messages for ${name}`, async () => {
    const { messages } = await client.call(api.readInbox)
    return messages.length >= count && messages
  })
}

/** Sends as `from` and returns the number by which people refer to the message. */
export async function tell(from: TestMember, to: string | string[], body: string, more: object = {}): Promise<number> {
  return (await from.client.call(api.sendMessage, { body: { to, body, ...more } })).seq
}

/** Returns the messages in `chat` once there are `count`. */
export async function said(telegram: FakeTelegram, chat: number, count: number, deadlineMs?: number) {
  return until(
    `${count} messages in ${chat}`,
    () => telegram.said(chat).length >= count && telegram.said(chat),
    deadlineMs,
  )
}
