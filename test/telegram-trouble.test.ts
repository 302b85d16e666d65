import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import { TestHub } from './support/hub.ts'
import { run } from './support/program.ts'
import { group, humans, inboxOf, said, sean, startTelegramHub, tell } from './support/telegram-hub.ts'
import { until } from './support/until.ts'

const supergroup = -1001234567890

test("T07 a group that becomes a supergroup is followed, whichever call reports it first, and only the bridge's own group", async () => {
  for (const way of ['error', 'update', 'both'] as const) {
    const { hub, telegram } = await startTelegramHub()
    const ovh5 = await hub.join('ovh5')
    // An update about another group changes nothing.
    telegram.update({ message: telegram.message(-777, sean, undefined, { migrate_to_chat_id: -1009999999999 }) })
    telegram.chats.delete(group)
    telegram.chats.set(supergroup, { type: 'supergroup', title: 'omelasai' })
    const gone = {
      code: 400,
      description: 'Bad Request: group chat was upgraded to a supergroup chat',
      parameters: { migrate_to_chat_id: supergroup },
    }
    if (way !== 'update') telegram.spoil('sendMessage', gone, { times: way === 'both' ? 2 : 1 })
    if (way !== 'error') {
      telegram.update({ message: telegram.message(group, sean, undefined, { migrate_to_chat_id: supergroup }) })
      telegram.update({ message: telegram.message(supergroup, sean, undefined, { migrate_from_chat_id: group }) })
    }
    if (way === 'update')
      await until(
        'the move',
        async () => (await hub.client(hub.adminToken).call(api.telegramStatus)).chatId === supergroup,
      )
    await tell(ovh5, 'sean', `moved by ${way}`)
    expect((await said(telegram, supergroup, 1))[0]!.text).toContain(`moved by ${way}`)
    const admin = hub.client(hub.adminToken)
    const { lines } = await admin.call(api.listAudit, { query: { action: 'telegramMove' } })
    expect(lines).toMatchObject([{ address: `telegram:${group}`, detail: `to=${supergroup}`, result: 'ok' }])
    await until('the audit line of the forgery', async () =>
      (await admin.call(api.listAudit, { query: { action: 'telegram' } })).lines.some(
        ({ detail }) => detail === 'move-of-another-chat',
      ),
    )
    // Messages are accepted there too, and after a restart.
    await hub.crashAndRestart()
    telegram.write(supergroup, sean, '/send ovh5 from the new one')
    expect(await inboxOf(ovh5, 1)).toMatchObject([{ body: 'from the new one' }])
    await hub.stop()
  }
})

test('T08 another poller is waited for, reported as trouble, and cleared when it is gone', async () => {
  const { hub, telegram } = await startTelegramHub()
  const ovh5 = await hub.join('ovh5')
  const conflict = {
    code: 409,
    description: 'Conflict: terminated by other getUpdates request; make sure that only one bot instance is running',
  }
  telegram.spoil('getUpdates', conflict, { times: 1_000 })
  telegram.write(group, sean, '/send ovh5 hello')
  const admin = hub.client(hub.adminToken)
  const trouble = await until('the trouble is reported', async () => (await admin.call(api.telegramStatus)).trouble)
  expect(trouble).toContain('another program receives this bot')
  expect(telegram.calls.filter(method => method === 'getUpdates').length).toBeGreaterThanOrEqual(8)
  // Outgoing messages continue.
  await tell(ovh5, 'sean', 'out')
  await said(telegram, group, 1)
  telegram.heal()
  expect(await inboxOf(ovh5, 1)).toMatchObject([{ body: 'hello' }])
  await until('no trouble', async () => (await admin.call(api.telegramStatus)).trouble === null)
})

test('T08 a second hub on the same data refuses to start, so that only one polls Telegram', async () => {
  const { hub } = await startTelegramHub()
  const second = new TestHub({ dataDir: hub.dataDir })
  await expect(second.start()).rejects.toThrow(/ended/)
})

test('T17 a dead connection is abandoned, and the next request uses another', async () => {
  const { hub, telegram } = await startTelegramHub({ timing: { pollS: 1, requestMs: 500 } })
  const ovh5 = await hub.join('ovh5')
  telegram.spoil('getUpdates', 'hole')
  telegram.spoil('sendMessage', 'hole')
  const polls = () => telegram.calls.filter(method => method === 'getUpdates').length
  const asked = polls()
  await until('the poll without a response', () => polls() > asked)
  await tell(ovh5, 'sean', 'out')
  telegram.write(group, sean, '/send ovh5 in')
  expect(await inboxOf(ovh5, 1)).toMatchObject([{ body: 'in' }])
  expect((await said(telegram, group, 1))[0]!.text).toContain('out')
})

test('T18 the token is only in its file and in the URLs of requests', async () => {
  const { hub, telegram } = await startTelegramHub({}, { logLevel: 'trace' }, { cold: true })
  const ovh5 = await hub.join('ovh5')
  for (const fault of [
    'cut',
    'lose',
    { code: 500, description: 'Internal Server Error' },
    { code: 404, description: 'Not Found' },
  ] as const) {
    for (const method of ['sendMessage', 'getUpdates', 'setMessageReaction']) telegram.spoil(method, fault)
  }
  await tell(ovh5, 'sean', 'hello')
  telegram.write(group, sean, '/status')
  await until('both exist', () => telegram.sent.length >= 2, 15_000).catch(() => {})
  await telegram.vanish()
  await tell(ovh5, 'sean', 'again')
  const admin = hub.client(hub.adminToken)
  await until('the trouble is reported', async () =>
    (await admin.call(api.telegramStatus)).trouble?.includes('cannot be reached'),
  )
  const shown = [
    hub.log,
    JSON.stringify(telegram.sent),
    JSON.stringify(await admin.call(api.telegramStatus)),
    JSON.stringify(await admin.call(api.telegramCheck)),
    JSON.stringify(await admin.call(api.listAudit, { query: {} })),
    (await run(['telegram', 'check', '--data', hub.dataDir])).stdout,
    readFileSync(`/proc/${hub.pid}/cmdline`, 'latin1'),
  ]
  for (const text of shown) expect(text).not.toContain(telegram.token.split(':')[1])
  await hub.stop('SIGKILL')
  // Nor in any of its files; grep exits with 1 if it finds nothing.
  const secret = telegram.token.split(':')[1]!
  const { status, stdout } = spawnSync('grep', ['-rlF', '--', secret, hub.dataDir, `${hub.dataDir}.log`], {
    encoding: 'utf8',
  })
  expect([status, stdout]).toEqual([1, ''])
})

test('T19 without reactions a short reply says stored; privacy mode and rights are reported', async () => {
  const { hub, telegram } = await startTelegramHub()
  const ovh5 = await hub.join('ovh5')
  await ovh5.client.call(api.heartbeat, { body: { session: 's1', client: 'test/1' } })
  telegram.reactionsAreOff = true
  const message = telegram.write(group, sean, '/send ovh5 hello')
  expect(await until('a reply', () => telegram.sent.find(({ replyTo }) => replyTo === message))).toMatchObject({
    text: 'Stored.',
  })
  telegram.me.can_read_all_group_messages = true
  telegram.memberStatus = 'restricted'
  const checked = await run(['telegram', 'check', '--data', hub.dataDir])
  expect(checked.code).toBe(1)
  expect(checked.stdout).toMatch(/privacy mode is off/)
  expect(checked.stdout).toMatch(/may not write/)
  await hub.crashAndRestart()
  const asked = telegram.write(group, sean, '/status')
  const status = await until('an answer', () => telegram.sent.find(({ replyTo }) => replyTo === asked))
  expect(status.text).toContain('Privacy mode is off')
})

test('a hub without a token, or with an invalid one, runs and explains what to do', async () => {
  const hub = new TestHub({ config: { telegram: { tokenFile: '/nonexistent/telegram.token', chatId: group, humans } } })
  await hub.start()
  try {
    await until('the trouble is reported', async () =>
      (await hub.client(hub.adminToken).call(api.telegramStatus)).trouble?.includes('cannot be read (ENOENT)'),
    )
    const { code, stdout } = await run(['telegram', 'check', '--data', hub.dataDir])
    expect(code).toBe(1)
    expect(stdout).toContain('Put the token of @BotFather there')
  } finally {
    await hub.close()
  }
})
