import { expect, test, vi } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { hubNode, run } from './support/program.ts'
import { group, inboxOf, said, sean, startTelegramHub, tell } from './support/telegram-hub.ts'
import { until } from './support/until.ts'

// Each test starts several programs.
vi.setConfig({ testTimeout: 180_000 })

test('after a restore no human gets a notice again that the backup records, and no update is processed twice', async () => {
  const { hub, telegram } = await startTelegramHub({ followAfterS: 0 })
  const alpha = await hub.join('alpha')
  await hub.join('seanclaude', 'machine', 'sean')
  await tell(alpha, 'sean', 'to the person')
  await tell(alpha, 'seanclaude', 'to the machine')
  telegram.write(group, sean, '/send alpha hello')
  await inboxOf(alpha, 1)
  await said(telegram, group, 2)
  const settled = async () => {
    const { people } = await hub.client(hub.adminToken).call(api.telegramStatus)
    return people.every(({ waiting }) => waiting === 0)
  }
  await until('Telegram has all of it', settled)
  const { file } = await hub.client(hub.adminToken).call(api.makeBackup)
  await tell(alpha, 'sean', 'lost with the restore')
  await until('it is posted', () => telegram.said(group).some(({ text }) => text.includes('lost with')))

  await hub.stop()
  expect(await run(['restore', file, '--data', hub.dataDir], { node: hubNode })).toMatchObject({ code: 0, stderr: '' })
  await hub.start()
  // Its notice would list every message that is not recorded as announced.
  await tell(alpha, 'seanclaude', 'news for it')
  await tell(alpha, 'sean', 'after the restore')
  for (const text of ['news for it', 'after the restore'])
    await until(`${text} is out`, () => telegram.said(group).some(message => message.text.includes(text)))
  const texts = telegram.said(group).map(({ text }) => text)
  for (const once of ['to the person', 'to the machine', 'lost with the restore', 'after the restore'])
    expect(
      texts.filter(text => text.includes(once)),
      once,
    ).toHaveLength(1)
  expect((await inboxOf(alpha, 1)).map(({ body }) => body)).toEqual(['hello'])
})
