import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { login } from './support/console-session.ts'
import { group, sean, startTelegramHub } from './support/telegram-hub.ts'
import { until } from './support/until.ts'

test('/console sends a human their link in a private chat, if hub.json has the address of the hub for browsers', async () => {
  const { hub, telegram } = await startTelegramHub({ timing: { windowMs: 100 } })
  const answerTo = async (chat: number, text: string) => {
    const message = telegram.write(chat, sean, text)
    return until(`an answer to ${text}`, () => telegram.sent.find(({ replyTo }) => replyTo === message))
  }
  const admin = hub.client(hub.adminToken)
  expect((await answerTo(sean.id, '/console')).text).toContain('hub.json: "url"')
  await hub.reload({ url: 'https://claudes.example.org' })

  const inGroup = await answerTo(group, '/console')
  expect(inGroup.text).toMatch(/^Ask me in a private chat/)
  expect(inGroup.text).not.toContain('#in=')

  const { text, chat } = await answerTo(sean.id, '/console')
  expect(chat).toBe(sean.id)
  const [, secret] = /^https:\/\/claudes\.example\.org\/#in=([\w-]{43})\n\nIt opens the console as sean, once/.exec(
    text,
  )!
  const address = { url: hub.url }
  expect(await login(address, secret!)).toMatchObject({ status: 201, json: { name: 'sean', role: 'human' } })
  expect(await login(address, secret!)).toMatchObject({ status: 401 })

  const { lines } = await admin.call(api.listAudit, { query: { action: 'consoleLink' } })
  expect(lines).toMatchObject([{ actor: 'sean', target: 'sean', address: 'telegram', result: 'ok' }])
  // The link is only in the message to Telegram.
  for (const name of readdirSync(hub.dataDir).filter(each => /\.db|wal/.test(each)))
    expect(readFileSync(join(hub.dataDir, name)).includes(secret!), name).toBe(false)
  expect(hub.log).not.toContain(secret)
})
