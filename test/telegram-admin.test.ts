import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { readHubConfig } from '../src/hub/config/hub-config.ts'
import { api } from '../src/protocol/api.ts'
import { startTelegram } from './support/bot-api.ts'
import { TestHub } from './support/hub.ts'
import { hubNode, run } from './support/program.ts'
import { chas, group, inboxOf, said, startTelegramHub } from './support/telegram-hub.ts'
import { tempDir } from './support/temp.ts'
import { until } from './support/until.ts'

test('a user name is pinned once, after the admin has confirmed the user who was seen', async () => {
  const { hub, telegram } = await startTelegramHub({
    humans: { chas: { username: 'ChasWatkins' }, sean: { username: 'kristofer_sean' } },
  })
  const ovh5 = await hub.join('ovh5')
  const cli = (...args: string[]) => run(['telegram', ...args, '--data', hub.dataDir])
  expect(await cli('confirm', 'chas', '--yes')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('Nobody was seen in the group as @ChasWatkins'),
  })
  // In a private chat no admin can confirm the user.
  telegram.write(chas.id, chas, '/send ovh5 in private')
  const first = telegram.write(group, chas, '/send ovh5 too early')
  const hint = await until('the hint', () => telegram.sent.find(({ replyTo }) => replyTo === first))
  expect(hint.text).toContain('claude-net telegram confirm chas')
  telegram.write(group, chas, '/send ovh5 still too early')
  const listed = (await cli()).stdout
  expect(listed).toMatch(
    new RegExp(`^chas +@ChasWatkins +Chas \\(@ChasWatkins\\), user ${chas.id}: confirm chas\\? +group +0$`, 'm'),
  )
  expect(listed).toMatch(/^sean +@kristofer_sean +nobody yet +group +0$/m)
  expect((await run(['status', '--data', hub.dataDir])).stdout).toMatch(
    /^Telegram +@chasombot answered just now, nothing on the way; not confirmed: chas, sean$/m,
  )
  // A confirmation needs a terminal and a yes, and the user id that was seen last.
  expect(await cli('confirm', 'chas')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining(`add --user ${chas.id}`),
  })
  expect(await cli('confirm', 'chas', '--user', 'chas')).toMatchObject({ code: 2 })
  expect(await cli('confirm', 'chas', '--user', '77')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('is not the one that was seen last'),
  })
  expect(await cli('confirm', 'chas', '--user', String(chas.id))).toMatchObject({
    code: 0,
    stdout: `Telegram user ${chas.id} is chas.\n`,
  })
  telegram.write(group, chas, '/send ovh5 now')
  expect((await inboxOf(ovh5, 1)).map(({ body }) => body)).toEqual(['now'])
  expect(telegram.said(group).filter(({ text }) => text.includes('confirm chas'))).toHaveLength(1)

  // Another user who takes the name over is unknown. The same user under another name is still chas.
  telegram.write(group, { ...chas, id: 88 }, '/send ovh5 not me')
  telegram.write(group, { ...chas, username: 'renamed' }, '/send ovh5 me')
  expect((await inboxOf(ovh5, 2)).map(({ body }) => body)).toEqual(['now', 'me'])
  const { lines } = await hub.client(hub.adminToken).call(api.listAudit, { query: { action: 'telegramConfirm' } })
  expect(lines[0]).toMatchObject({ actor: 'admin', target: 'chas', result: 'ok' })
  expect(await cli('forget', 'chas')).toMatchObject({ code: 0 })
  telegram.write(group, chas, '/send ovh5 forgotten')
  await until(
    'the hint again',
    () => telegram.said(group).filter(({ text }) => text.includes('confirm chas')).length === 2,
  )
  expect((await ovh5.client.call(api.readInbox)).unread).toBe(2)
})

test('check tests every link and explains how to fix failures', async () => {
  const { hub, telegram } = await startTelegramHub()
  const check = () => run(['telegram', 'check', '--data', hub.dataDir])
  expect(await check()).toMatchObject({ code: 0, stdout: expect.stringContaining("omelasai'") })
  telegram.webhook = 'https://elsewhere.example/hook'
  telegram.chats.delete(group)
  const broken = await check()
  expect(broken.code).toBe(1)
  expect(broken.stdout).toMatch(/a webhook is set/)
  expect(broken.stdout).toMatch(/chat not found[\s\S]*Add @chasombot to the group/)
  telegram.isRevoked = true
  expect((await check()).stdout).toMatch(/401 Unauthorized[\s\S]*Ask @BotFather for the token/)
  const json = JSON.parse((await run(['telegram', 'check', '--data', hub.dataDir, '--json'])).stdout)
  expect(json.checks[0]).toMatchObject({ link: 'token', state: 'failed' })
})

test('without Telegram in hub.json the commands explain how to set it up, and the bridge is not loaded', async () => {
  const hub = new TestHub({})
  await hub.start()
  try {
    expect(await run(['telegram', '--data', hub.dataDir])).toMatchObject({
      code: 0,
      stdout: expect.stringContaining('docs/telegram.md'),
    })
    expect(await run(['telegram', 'check', '--data', hub.dataDir])).toMatchObject({
      code: 1,
      stdout: expect.stringContaining('docs/telegram.md'),
    })
    expect(await run(['telegram', 'confirm', 'chas', '--yes', '--data', hub.dataDir])).toMatchObject({ code: 1 })
    expect(await run(['telegram', 'dance', '--data', hub.dataDir])).toMatchObject({ code: 2 })
  } finally {
    await hub.close()
  }
})

test('the example configuration is valid, and its people become members', async () => {
  const { telegram } = readHubConfig({ config: 'examples/hub.telegram.json' })
  expect([...telegram!.humans.keys()]).toEqual(['chas', 'sean', 'jaz'])
  const { telegram: settings } = JSON.parse(readFileSync('examples/hub.telegram.json', 'utf8'))
  const { hub, telegram: fake } = await startTelegramHub({ humans: settings.humans })
  expect(settings.chatId).toBe(group)
  const { members } = await hub.client(hub.adminToken).call(api.listMachines)
  expect(members.map(({ name, kind }) => [name, kind])).toEqual([
    ['chas', 'human'],
    ['jaz', 'human'],
    ['sean', 'human'],
  ])
  const ovh5 = await hub.join('ovh5')
  await ovh5.client.call(api.sendMessage, { body: { to: 'jaz', body: 'hello' } })
  expect((await said(fake, group, 1))[0]!.text).toMatch(/^ovh5 → jaz \(@jazimperial\) #\d+\nhello$/)
})

test.for([
  [{ humans: { chas: {} } }, 'telegram.humans.chas: it needs an id or a username'],
  [{ humans: {} }, 'telegram.humans: it names nobody'],
  [{ humans: { 'not a name!': { id: 1 } } }, 'telegram.humans.not a name!: a name has 1 to 64 characters'],
  [{ humans: { ChasWatkins: 'chas' } }, 'telegram.humans.ChasWatkins: a name has 1 to 64 characters'],
  [{ chatId: 5 }, 'telegram.chatId: a group has a negative id'],
  [{ humans: { chas: { id: 1, timezone: 'Mars/Base' } } }, 'this is not a time zone'],
  [{ humans: { chas: { id: 1, quiet: ['22:00', '7'] } } }, 'write a time as 22:00'],
  [{ token: 'x' }, 'telegram.token: no such field; did you mean tokenFile?'],
] as const)('an error in hub.json is reported: %j', async ([change, says]) => {
  const hub = new TestHub({
    config: { telegram: { tokenFile: 't', chatId: group, humans: { chas: { id: 1 } }, ...change } },
  })
  await expect(hub.start()).rejects.toThrow(says)
})

test('the demo writes to a human if a bot is configured, and otherwise explains how to configure one', async context => {
  if (Number.parseInt(process.versions.node, 10) < 24) context.skip('the demo runs a hub, which needs Node 24')
  const telegram = await startTelegram()
  telegram.chats.set(group, { type: 'group' })
  const dir = tempDir('demo')
  writeFileSync(join(dir, 'telegram.token'), telegram.token, { mode: 0o600 })
  const settings = {
    tokenFile: 'telegram.token',
    chatId: group,
    humans: { chas: { id: chas.id } },
    apiRoot: telegram.url,
  }
  writeFileSync(join(dir, 'hub.json'), JSON.stringify({ port: 1, telegram: { ...settings, timing: { pollS: 1 } } }))
  const options = { node: hubNode, env: { TMPDIR: dir, HOME: dir } }
  const shown = await run(['demo', '--once', '--telegram', join(dir, 'hub.json')], options)
  expect(shown).toMatchObject({ code: 0, stdout: expect.stringContaining('Telegram has accepted it: look there.') })
  expect(telegram.said(group)[0]!.text).toMatch(/^chasclaude → chas #\d+\nHello from the demo\./)
  const without = await run(['demo', '--once'], options)
  expect(without).toMatchObject({ code: 0, stdout: expect.stringContaining('npm run demo -- --telegram hub.json') })
})
