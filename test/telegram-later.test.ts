import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { group, inboxOf, sean, startTelegramHub } from './support/telegram-hub.ts'
import { until } from './support/until.ts'

test('a person writes now what goes out later, sees what waits, and cancels it', async () => {
  const { hub, telegram } = await startTelegramHub()
  const ovh5 = await hub.join('ovh5')
  /** Returns the bot's reply to a command. */
  const ask = async (text: string) => {
    const message = telegram.write(group, sean, text)
    return (await until(`an answer to ${text}`, () => telegram.sent.find(({ replyTo }) => replyTo === message))).text
  }
  expect(await ask('/later')).toBe('Nothing of yours waits for later.')
  expect(await ask('/later in 1h ovh5 good\nmorning')).toMatch(
    /^Goes out to ovh5 at 20\S+ \(\w+, \S+, in (1 h|60 min)\)\. /,
  )
  expect(await ask('/later 2027-07-01 at 9:00, ovh5: summer')).toContain('2027-07-01T09:00:00')
  expect(await ask('/later yesterday 9:00 ovh5 hello')).toContain("'yesterday' is not a day")
  expect(await ask('/later in 1h')).toContain('/later tomorrow 9:00 NAME TEXT')
  expect(await ask('/later in 1h nobody hello')).toContain("No member is called 'nobody'")
  const list = await ask('/later')
  expect(list).toMatch(/^2 messages for later:\n#\d+ → ovh5, .*: good\n#\d+ → ovh5, 2027-07-01T09:00:00.*: summer$/)
  const numbers = [...list.matchAll(/#(\d+)/g)].map(([, number]) => number)
  expect(await ask(`/later cancel ${numbers[0]}`)).toBe('It does not go out.')
  expect(await ask('/later cancel #1')).toContain('Nothing of yours with the number 1 waits')
  expect(await ask('/later')).toContain('1 message for later')
  expect(await ask('/later in 1s ovh5 soon')).toContain('Goes out to ovh5 at ')
  expect(await inboxOf(ovh5, 1)).toMatchObject([{ body: 'soon', from: 'sean' }])
})

test('a person receives scheduled messages when they are due, and is notified when one of theirs is refused', async () => {
  const { hub, telegram } = await startTelegramHub()
  const ovh5 = await hub.join('ovh5')
  const at = new Date(Date.now() + 1000).toISOString()
  await ovh5.client.call(api.sendMessage, { body: { to: 'sean', body: 'due now', at } })
  await until('the message that was due', () => telegram.sent.some(({ text }) => text.includes('due now')))
  telegram.write(group, sean, '/later in 2s ovh5 too late')
  await until('the confirmation', () => telegram.sent.some(({ text }) => text.startsWith('Goes out to ovh5')))
  await ovh5.client.call(api.putPolicy, { body: { inbound: 'refuse' } })
  const told = await until('the notice to the sender', () =>
    telegram.sent.find(({ text }) => text.includes('was due, but nobody accepted it')),
  )
  expect(told.text).toContain(
    'A scheduled message to ovh5 was due, but nobody accepted it: ovh5 takes no messages now.',
  )
  expect(told.text).toContain('which begins: too late')
})
