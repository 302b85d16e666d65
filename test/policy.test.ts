import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { Database } from '../src/hub/state/store/database.ts'
import { api } from '../src/protocol/api.ts'
import { startMachine, type TestMachine } from './support/machine.ts'
import { readJson } from './support/newcomer.ts'
import { emptiedHub } from './support/shared-hub.ts'
import { until } from './support/until.ts'

const hubAlone = emptiedHub()

test('a machine that refuses messages stores none, and their sender is notified; other recipients of a broadcast get theirs', async () => {
  const hub = await hubAlone()
  const [sender, quiet, open] = [await hub.join('sender'), await hub.join('quiet'), await hub.join('open')]
  await quiet.client.call(api.putPolicy, { body: { inbound: 'refuse' } })
  const alone = sender.client.call(api.sendMessage, { body: { to: 'quiet', body: 'hello' } })
  await expect(alone).rejects.toMatchObject({
    code: 'forbidden',
    message: expect.stringContaining('takes no messages'),
  })
  const { id, recipients } = await sender.client.call(api.sendMessage, { body: { to: 'all', body: 'hello' } })
  expect(recipients).toMatchObject([
    { name: 'open', status: 'stored' },
    { name: 'quiet', status: 'refused', reason: expect.stringContaining('takes no messages') },
  ])
  expect((await quiet.client.call(api.readInbox)).unread).toBe(0)
  expect((await open.client.call(api.readInbox)).unread).toBe(1)
  const { receipts } = await sender.client.call(api.getMessage, { params: { id } })
  expect(receipts.map(({ status }) => status).sort()).toEqual(['refused', 'stored'])
  await quiet.client.call(api.putPolicy, { body: { inbound: 'accept' } })
  expect(await sender.client.call(api.sendMessage, { body: { to: 'quiet', body: 'again' } })).toBeDefined()
})

test('held messages are shown to the user in the terminal; the agent sees their senders but not their texts, and does not ack them', async () => {
  const hub = await hubAlone()
  const sender = await hub.join('sender')
  const machine = await startMachine(hub, 'careful')
  expect(await machine.run(['policy', '--inbound', 'hold'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('hold'),
  })
  await sender.client.call(api.sendMessage, { body: { to: 'careful', body: 'the secret text' } })
  const session = await machine.mcp()
  for (const args of [{}, { ack: true }, { limit: 1 }]) {
    const { text } = await session.call('inbox', args)
    expect(text).not.toContain('secret text')
    expect(text).toContain('1 message held for your user (from sender)')
  }
  expect((await machine.run(['inbox', '--ack'])).stdout).toContain('> the secret text')
  expect((await session.call('inbox')).text).toBe('No unread messages.')
})

test('inside Claude Code the commands withhold held messages and do not ack them; they and the API mark them', async () => {
  const hub = await hubAlone()
  const sender = await hub.join('sender')
  const machine = await startMachine(hub, 'careful')
  await machine.run(['policy', '--inbound', 'hold'])
  const client = hub.client(readFileSync(join(machine.home, 'token'), 'utf8').trim())
  const { id } = await sender.client.call(api.sendMessage, { body: { to: 'careful', body: 'the secret text' } })
  for (const variable of ['CLAUDECODE', 'CLAUDE_CODE_ENTRYPOINT']) {
    for (const args of [
      ['inbox', '--ack'],
      ['history'],
      ['history', 'secret'],
      ['inbox', '--json'],
      ['history', '--json'],
    ]) {
      const { stdout } = await machine.run(args, { env: { [variable]: 'cli' } })
      expect(stdout, args.join(' ')).not.toContain('secret text')
      expect(stdout, args.join(' ')).toMatch(/ · held\b.*\n {2}\(held for your user|"held":true/)
    }
  }
  expect((await client.call(api.readInbox)).messages).toMatchObject([{ id, held: true }])
  expect((await client.call(api.readInbox)).messages[0]!.fetchedBy).toBeUndefined()
  expect((await client.call(api.getMessage, { params: { id } })).message.held).toBe(true)
  expect((await client.call(api.listMessages)).messages[0]!.message.held).toBe(true)
  // To its sender it looks like any other message.
  expect((await sender.client.call(api.getMessage, { params: { id } })).message.held).toBeUndefined()
  expect((await machine.run(['history'])).stdout).toMatch(/ · held\n> the secret text\n/)
  expect((await machine.run(['inbox', '--ack'])).stdout).toMatch(/ · held\n> the secret text\n/)
  expect((await client.call(api.readInbox)).unread).toBe(0)
})

test('messages of a muted sender are stored without an event; after unmuting, the next one has one', async () => {
  const hub = await hubAlone()
  const [noisy, reader] = [await hub.join('noisy'), await hub.join('reader')]
  const machine = await startMachine(hub, 'deaf')
  expect(await machine.run(['policy', '--mute', 'noisy'])).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('Muted: noisy'),
  })
  const send = (from: typeof noisy, body: string) => from.client.call(api.sendMessage, { body: { to: 'deaf', body } })
  await send(noisy, 'one')
  await send(reader, 'two')
  expect(await machine.run(['policy', '--unmute', 'noisy'])).toMatchObject({
    stdout: expect.stringContaining('Muted: nobody'),
  })
  await send(noisy, 'three')
  expect((await machine.run(['inbox', '--json'])).stdout).toContain('"one"')
  const { readFileSync } = await import('node:fs')
  const client = hub.client(readFileSync(join(machine.home, 'token'), 'utf8').trim())
  const heard: string[] = []
  for await (const { event, data } of client.events({ signal: AbortSignal.timeout(90_000) })) {
    if (event === 'inbox') heard.push(data.from)
    if (heard.length === 2) break
  }
  expect(heard).toEqual(['reader', 'noisy'])
})

test('an unknown policy in config.json counts as hold', async () => {
  const hub = await hubAlone()
  const [sender, careful] = [await hub.join('sender'), await hub.join('careful')]
  await hub.stop()
  using db = new Database(join(hub.dataDir, 'hub.db'))
  db.run(`update member set inbound = 'whatever' where name = 'careful'`)
  db.close()
  await hub.start()
  await sender.client.call(api.sendMessage, { body: { to: 'careful', body: 'hello' } })
  expect((await careful.client.call(api.readInbox)).messages).toMatchObject([{ held: true }])
})

test('an unknown policy or name is refused, and nothing changes', async () => {
  const hub = await hubAlone()
  const alpha = await hub.join('alpha')
  const change = (body: object) => alpha.client.call(api.putPolicy, { body: body as never })
  await change({ inbound: 'hold' })
  await expect(change({ inbound: 'maybe' })).rejects.toMatchObject({ code: 'invalid' })
  await expect(change({ mute: ['nobody'] })).rejects.toMatchObject({ code: 'not_found' })
  expect(await change({})).toEqual({ inbound: 'hold', mute: [] })
})

test('A19: a full inbox only refuses its own messages: nothing in it is dropped, and a broadcast reaches the others', async () => {
  const hub = await hubAlone()
  const [sender, full, open] = [await hub.join('sender'), await hub.join('full'), await hub.join('open')]
  const { id } = await sender.client.call(api.sendMessage, { body: { to: 'full', body: 'first' } })
  await hub.stop()
  {
    using db = new Database(join(hub.dataDir, 'hub.db'))
    db.run(`update member set unread = 10000 where name = 'full'`)
  }
  await hub.start()
  const alone = sender.client.call(api.sendMessage, { body: { to: 'full', body: 'one too many' } })
  await expect(alone).rejects.toMatchObject({ code: 'rate_limited', retryAfterMs: 60_000 })
  const { recipients } = await sender.client.call(api.sendMessage, { body: { to: 'all', body: 'hello' } })
  expect(recipients).toMatchObject([
    { name: 'full', status: 'refused', reason: expect.stringContaining('is full') },
    { name: 'open', status: 'stored' },
  ])
  expect((await full.client.call(api.readInbox)).messages).toMatchObject([{ id, body: 'first' }])
  expect((await open.client.call(api.readInbox)).unread).toBe(1)
})

/** Writes `keys` into a machine's config.json, and keeps the others. */
function configure({ home }: TestMachine, keys: object): void {
  const file = join(home, 'config.json')
  writeFileSync(file, JSON.stringify({ ...readJson(file), ...keys }))
}

test.each([
  ['refuse', 'refuse'],
  ['hold', 'hold'],
  ['nobody', 'hold'],
  [{}, 'hold'],
])('"inbound": %j in config.json is %s on the hub once a session has started', async (inbound, told) => {
  const hub = await hubAlone()
  const [machine] = [await startMachine(hub, 'careful'), await hub.join('noisy')]
  configure(machine, { inbound, mute: ['noisy'] })
  expect((await machine.run(['doctor'])).stdout).toMatch(/note {2}policy +the hub has accept, .* means/)
  await machine.mcp()
  const policy = async () => JSON.parse((await machine.run(['policy', '--json'])).stdout)
  await until('the policy at the hub', async () => (await policy()).mute.length > 0)
  expect(await policy()).toEqual({ inbound: told, mute: ['noisy'] })
  expect((await machine.run(['doctor'])).stdout).toMatch(/ok {4}policy/)
})

test('a mistake in "mute" does not let messages in', async () => {
  const hub = await hubAlone()
  const machine = await startMachine(hub, 'careful')
  configure(machine, { inbound: 'refuse', mute: ['nobody'] })
  await machine.mcp()
  const policy = async () => JSON.parse((await machine.run(['policy', '--json'])).stdout)
  expect(
    await until('the policy at the hub', async () => (await policy()).inbound === 'refuse' && policy()),
  ).toMatchObject({
    mute: [],
  })
})

test('a policy set by the command stays when a session starts, even if config.json had another value', async () => {
  const hub = await hubAlone()
  const [machine] = [await startMachine(hub, 'careful'), await hub.join('noisy')]
  configure(machine, { inbound: 'refuse', mute: ['noisy'], later: 'kept' })
  await machine.run(['policy', '--inbound', 'accept', '--unmute', 'noisy'])
  expect(readJson(join(machine.home, 'config.json'))).toMatchObject({ inbound: 'accept', mute: [], later: 'kept' })
  const silent = await startMachine(hub, 'silent')
  await silent.run(['policy', '--inbound', 'hold'])
  expect(readJson(join(silent.home, 'config.json'))).not.toHaveProperty('inbound')
  // A session sends no setting that is missing in the file.
  await (await silent.mcp()).call('inbox')
  expect(JSON.parse((await silent.run(['policy', '--json'])).stdout)).toMatchObject({ inbound: 'hold' })
})

test('the policy of a member is set by itself, by its owner and by an admin, and the audit records by whom', async () => {
  const hub = await hubAlone()
  const sean = await hub.join('sean', 'human')
  const [chas, own, other] = [
    await hub.join('chas', 'human'),
    await hub.join('seanclaude', 'machine', 'sean'),
    await hub.join('other'),
  ]
  const admin = hub.client(hub.adminToken)
  const params = { name: 'seanclaude' }
  const set = (client: typeof admin, body: object) => client.call(api.putMemberPolicy, { params, body })
  expect(await set(sean.client, { inbound: 'hold' })).toEqual({ inbound: 'hold', mute: [] })
  expect(await set(admin, { mute: ['other'] })).toEqual({ inbound: 'hold', mute: ['other'] })
  for (const client of [admin, sean.client, own.client]) {
    expect(await client.call(api.getMemberPolicy, { params })).toEqual({ inbound: 'hold', mute: ['other'] })
  }
  for (const { client } of [chas, other]) {
    await expect(set(client, { inbound: 'accept' })).rejects.toMatchObject({ code: 'forbidden' })
    await expect(client.call(api.getMemberPolicy, { params })).rejects.toMatchObject({ code: 'forbidden' })
  }
  // A machine may not act for its owner.
  const ofOwner = own.client.call(api.putMemberPolicy, { params: { name: 'sean' }, body: { inbound: 'refuse' } })
  await expect(ofOwner).rejects.toMatchObject({ code: 'forbidden' })
  await expect(admin.call(api.getMemberPolicy, { params: { name: 'nobody' } })).rejects.toMatchObject({
    code: 'not_found',
  })
  expect(await own.client.call(api.putPolicy, { body: {} })).toEqual({ inbound: 'hold', mute: ['other'] })
  await until('both changes in the audit', async () => {
    const { lines } = await admin.call(api.listAudit, { query: { action: 'putMemberPolicy', target: 'seanclaude' } })
    return (
      lines
        .filter(({ result }) => result === 'ok')
        .map(({ actor, detail }) => `${actor}: ${detail}`)
        .join('; ') === 'admin: mute=other; sean: inbound=hold'
    )
  })
})
