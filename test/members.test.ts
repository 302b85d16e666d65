import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { api } from '../src/protocol/api.ts'
import type { ClaudeNetError } from '../src/protocol/errors.ts'
import { mintToken } from '../src/protocol/token.ts'
import type { TestHub, TestMember } from './support/hub.ts'
import { run } from './support/program.ts'
import { emptiedHub } from './support/shared-hub.ts'
import { tempDir } from './support/temp.ts'

const hubAlone = emptiedHub()

const organization = join(import.meta.dirname, '../examples/organization.json')

/** Runs an admin's command on `hub`. */
function admin(hub: TestHub, ...args: string[]) {
  return run([...args, '--data', hub.dataDir])
}

async function unreadTexts({ client }: TestMember): Promise<string[]> {
  return (await client.call(api.readInbox)).messages.map(({ body }) => body)
}

function send({ client }: TestMember, to: string | string[], body: string) {
  return client.call(api.sendMessage, { body: { to, body } })
}

test('a whole organization is created from one file, and a second run changes nothing', async () => {
  const hub = await hubAlone()
  const first = await admin(hub, 'import', organization)
  expect(first).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('10 members in the file; made chas, sean, jaz'),
  })
  const members = await admin(hub, 'members', '--json')
  expect((await admin(hub, 'import', organization)).stdout).toContain('all were there')
  expect((await admin(hub, 'members', '--json')).stdout).toBe(members.stdout)
  const laptop = JSON.parse(members.stdout).members.find(({ name }: { name: string }) => name === 'laptopclaude')
  expect(laptop).toMatchObject({ kind: 'machine', owner: 'chas', aliases: ['laptop'] })
})

test('a file with a mistake is refused with its location, and changes nothing', async () => {
  const hub = await hubAlone()
  const file = join(tempDir(), 'organization.json')
  writeFileSync(file, JSON.stringify({ humans: { sean: {} }, machines: { seanclaude: { owned: 'sean' } } }))
  const ran = await admin(hub, 'import', file)
  expect(ran).toMatchObject({ code: 1, stderr: expect.stringContaining('machines.seanclaude') })
  expect((await admin(hub, 'members')).stdout).toContain('No members yet')
})

test.each<[string, Partial<Record<'humans' | 'machines' | 'groups', object>>, RegExp]>([
  ['a group of somebody unknown', { groups: { devs: ['alpha', 'nobody'] } }, /No member is called 'nobody'/],
  ['an owner who is no human', { machines: { beta: { owner: 'alpha' } } }, /alpha is a machine/],
  ['an alias that is taken', { machines: { beta: { aliases: ['sean'] } } }, /sean is a human/],
  ['one name twice', { humans: { beta: {} }, machines: { beta: {} } }, /beta is a human, not a machine/],
])('a file with %s is refused as a whole', async (_, mistake, why) => {
  const hub = await hubAlone()
  await hub.join('alpha')
  await admin(hub, 'import', organizationFile({ humans: { sean: {} } }))
  await admin(hub, 'group', 'devs', 'alpha')
  const before = await state(hub)
  const good = {
    humans: { jaz: {}, ...mistake.humans },
    machines: { jazclaude: { owner: 'jaz' }, ...mistake.machines },
  }
  const groups = { all2: ['jazclaude'], ...mistake.groups }
  const ran = await admin(hub, 'import', organizationFile({ ...good, groups }))
  expect(ran).toMatchObject({ code: 1, stderr: expect.stringMatching(why) })
  expect(ran.stderr).toContain('Nothing was imported.')
  expect(await state(hub)).toEqual(before)
})

function organizationFile(organization: object): string {
  const file = join(tempDir(), 'organization.json')
  writeFileSync(file, JSON.stringify(organization))
  return file
}

/** Returns everything that an import may change. */
async function state(hub: TestHub) {
  const client = hub.client(hub.adminToken)
  const { members } = await client.call(api.listMembers)
  return { members, groups: (await client.call(api.listGroups)).groups }
}

test('an alias reaches its member, also after it was pointed to another, until it is removed', async () => {
  const hub = await hubAlone()
  const [sender, old, next] = [await hub.join('sender'), await hub.join('old-laptop'), await hub.join('new-laptop')]
  expect(await admin(hub, 'alias', 'laptop', 'old-laptop')).toMatchObject({ code: 0 })
  await send(sender, 'Laptop', 'one')
  expect(await admin(hub, 'alias', 'laptop', 'new-laptop')).toMatchObject({ code: 0 })
  await send(sender, '@laptop', 'two')
  expect(await unreadTexts(old)).toEqual(['one'])
  expect(await unreadTexts(next)).toEqual(['two'])
  expect(await admin(hub, 'alias', 'laptop', '--remove')).toMatchObject({ code: 0 })
  await expect(send(sender, 'laptop', 'three')).rejects.toMatchObject({ code: 'not_found' })
})

test('a member addressed by name, alias and group gets one copy', async () => {
  const hub = await hubAlone()
  const [sender, alpha, beta] = [await hub.join('sender'), await hub.join('alpha'), await hub.join('beta')]
  await admin(hub, 'alias', 'a', 'alpha')
  await admin(hub, 'group', 'backend', 'alpha', 'beta', 'sender')
  const sent = await send(sender, ['a', 'alpha', '@backend'], 'hello')
  expect(sent.recipients.map(({ name }) => name)).toEqual(['alpha', 'beta'])
  expect(await unreadTexts(alpha)).toEqual(['hello'])
  expect(await unreadTexts(beta)).toEqual(['hello'])
})

test('a message to a group is an inform unless its sender chooses otherwise; the sender gets no copy', async () => {
  const hub = await hubAlone()
  const [sender, alpha] = [await hub.join('sender'), await hub.join('alpha')]
  await admin(hub, 'group', 'backend', 'alpha', 'sender')
  await send(sender, 'backend', 'hello')
  expect((await alpha.client.call(api.readInbox)).messages).toMatchObject([{ intent: 'inform', to: ['backend'] }])
  expect(await unreadTexts(sender)).toEqual([])
})

test('a group with only the sender reaches no member, which is an error', async () => {
  const hub = await hubAlone()
  const sender = await hub.join('sender')
  await admin(hub, 'group', 'lonely', 'sender')
  await expect(send(sender, 'lonely', 'hello')).rejects.toMatchObject({ code: 'not_found' })
})

test('members, aliases and groups share one namespace, and a typo returns the nearest of all three', async () => {
  const hub = await hubAlone()
  const sender = await hub.join('sender')
  await hub.join('alpha')
  await admin(hub, 'alias', 'laptop', 'alpha')
  await admin(hub, 'group', 'backend', 'alpha')
  for (const args of [
    ['alias', 'backend', 'alpha'],
    ['alias', 'sender', 'alpha'],
    ['group', 'laptop', 'alpha'],
    ['group', 'alpha', 'sender'],
  ]) {
    expect(await admin(hub, ...args)).toMatchObject({ code: 1, stderr: expect.stringMatching(/is (a|an) /) })
  }
  for (const taken of ['laptop', 'backend']) {
    expect(await admin(hub, 'invite', taken)).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('Choose another name'),
    })
    expect(await admin(hub, 'rename', 'alpha', taken === 'laptop' ? 'sender' : taken)).toMatchObject({ code: 1 })
  }
  for (const [typo, meant] of [
    ['laptob', 'laptop'],
    ['bakend', 'backend'],
    ['alfa', 'alpha'],
  ] as const) {
    const error = (await send(sender, typo, 'x').catch(error => error)) as ClaudeNetError
    expect(error.hint).toContain(meant)
  }
})

test('a renamed member keeps inbox and token; its old name is unknown', async () => {
  const hub = await hubAlone()
  const [sender, alpha] = [await hub.join('sender'), await hub.join('alpha')]
  await send(sender, 'alpha', 'before')
  expect(await admin(hub, 'rename', 'alpha', 'omega')).toMatchObject({ code: 0 })
  await send(sender, 'omega', 'after')
  expect(await unreadTexts(alpha)).toEqual(['before', 'after'])
  expect((await alpha.client.call(api.listMachines)).you).toBe('omega')
  await expect(send(sender, 'alpha', 'x')).rejects.toMatchObject({ code: 'not_found' })
  await send(alpha, 'sender', 'from the new name')
  expect((await sender.client.call(api.readInbox)).messages).toMatchObject([{ from: 'omega' }])
})

test('A06: a revoked member loses access at once, its open stream is cut, and its messages wait for the next invitation', async () => {
  const hub = await hubAlone()
  const [sender, alpha] = [await hub.join('sender'), await hub.join('alpha')]
  const opened = Promise.withResolvers<void>()
  const stream = (async () => {
    // The signal must not abort, since that would end the stream too.
    const { signal } = new AbortController()
    for await (const _ of alpha.client.events({ signal, opened: opened.resolve }));
    return 'ended by the hub'
  })()
  await opened.promise
  expect(await admin(hub, 'revoke', 'alpha')).toMatchObject({ code: 0, stdout: expect.stringContaining('locked out') })
  expect(await stream).toBe('ended by the hub')
  await expect(alpha.client.call(api.readInbox)).rejects.toMatchObject({ code: 'unauthorized' })
  await send(sender, 'alpha', 'waits')
  expect(await unreadTexts(await hub.join('alpha'))).toEqual(['waits'])
})

test('a rotated token stays valid beside the new one; a renewed one does not', async () => {
  const hub = await hubAlone()
  const alpha = await hub.join('alpha')
  const { code } = JSON.parse((await admin(hub, 'rotate', 'alpha', '--json')).stdout)
  expect((await alpha.client.call(api.listMachines)).you).toBe('alpha')
  const token = mintToken('machine')
  await hub.client().call(api.join, { body: { code, machine: 'alpha', token } })
  expect((await hub.client(token).call(api.listMachines)).you).toBe('alpha')
  expect((await alpha.client.call(api.listMachines)).you).toBe('alpha')
  const renewed = await hub.join('alpha')
  await expect(alpha.client.call(api.listMachines)).rejects.toMatchObject({ code: 'unauthorized' })
  await expect(hub.client(token).call(api.listMachines)).rejects.toMatchObject({ code: 'unauthorized' })
  expect((await renewed.client.call(api.listMachines)).you).toBe('alpha')
})

test('the unread messages of a deleted member expire for their senders, and its name is free for another', async () => {
  const hub = await hubAlone()
  const [sender, alpha] = [await hub.join('sender'), await hub.join('alpha')]
  await admin(hub, 'alias', 'laptop', 'alpha')
  const { id } = await send(sender, 'alpha', 'too late')
  expect(await admin(hub, 'delete', 'alpha')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('1 unread message expired'),
  })
  await expect(alpha.client.call(api.readInbox)).rejects.toMatchObject({ code: 'unauthorized' })
  await expect(send(sender, 'laptop', 'x')).rejects.toMatchObject({ code: 'not_found' })
  const { receipts } = await sender.client.call(api.getMessage, { params: { id } })
  expect(receipts).toMatchObject([{ status: 'expired' }])
  const another = await hub.join('alpha')
  expect(await unreadTexts(another)).toEqual([])
})

test('a human can own machines; a machine owns nothing, and a human has no owner', async () => {
  const hub = await hubAlone()
  await hub.join('alpha')
  await admin(hub, 'invite', 'sean', '--human')
  expect(await admin(hub, 'owner', 'alpha', 'sean')).toMatchObject({ code: 0, stdout: 'alpha belongs to sean.\n' })
  expect(await admin(hub, 'owner', 'alpha', 'alpha')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('own nothing'),
  })
  expect(await admin(hub, 'owner', 'sean', 'sean')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining('nobody owns it'),
  })
  expect(await admin(hub, 'owner', 'alfa', 'sean')).toMatchObject({
    code: 1,
    stderr: expect.stringContaining("'alfa'"),
  })
  expect(await admin(hub, 'owner', 'alpha', '--none')).toMatchObject({ code: 0, stdout: 'alpha belongs to nobody.\n' })
})

test('a member with an unknown owner is not created', async () => {
  const hub = await hubAlone()
  const put = hub
    .client(hub.adminToken)
    .call(api.putMember, { params: { name: 'alpha' }, body: { kind: 'machine', owner: 'nobody' } })
  await expect(put).rejects.toMatchObject({ code: 'not_found' })
  expect((await admin(hub, 'members')).stdout).toContain('No members yet')
})

test('only the admin may change members', async () => {
  const hub = await hubAlone()
  const alpha = await hub.join('alpha')
  const refused = { code: 'forbidden' }
  await expect(alpha.client.call(api.revokeMember, { params: { name: 'alpha' } })).rejects.toMatchObject(refused)
  await expect(alpha.client.call(api.putGroup, { params: { name: 'g' }, body: { members: [] } })).rejects.toMatchObject(
    refused,
  )
})
