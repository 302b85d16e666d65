import { cpSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { checkBackup, fingerprintAs, shapeOfBackup } from '../src/hub/keeping/check-backup.ts'
import { finishRestore, restore } from '../src/hub/keeping/restore.ts'
import { State } from '../src/hub/state/state.ts'
import { api } from '../src/protocol/api.ts'
import { mintToken } from '../src/protocol/token.ts'
import { startHub, type TestHub, type TestMember } from './support/hub.ts'
import { hubNode, type Ran, run } from './support/program.ts'
import { hasStrace, killedAt } from './support/strace.ts'
import { tempDir } from './support/temp.ts'
import { TestState } from './support/test-state.ts'

// Each test starts many processes.
vi.setConfig({ testTimeout: 180_000 })

function command(...args: string[]): Promise<Ran> {
  return run(args, { node: hubNode })
}

async function backUp(hub: TestHub): Promise<string> {
  return (await hub.client(hub.adminToken).call(api.makeBackup)).file
}

/** Stops the hub, restores, and starts it again. Returns the output of the command. */
async function restored(hub: TestHub, file: string): Promise<Ran> {
  await hub.stop()
  const ran = await command('restore', file, '--data', hub.dataDir)
  await hub.start()
  return ran
}

function send({ client }: TestMember, body: string) {
  return client.call(api.sendMessage, { body: { to: 'beta', body } })
}

async function unread({ client }: TestMember, after?: string): Promise<string[]> {
  return (await client.call(api.readInbox, { query: { after } })).messages.map(({ body }) => body)
}

/** Returns the bodies of inbox events after a cursor, up to the expected number. */
async function events({ client }: TestMember, cursor: string | undefined, count: number): Promise<number[]> {
  const seqs: number[] = []
  const signal = AbortSignal.timeout(90_000)
  for await (const event of client.events({ cursor, signal })) {
    if (event.event === 'inbox') seqs.push(event.data.seq)
    if (seqs.length === count) return seqs
  }
  return seqs
}

test('a restored hub is as at its backup: messages sent since are gone, those read since are unread, and the previous store is kept', async () => {
  const hub = await startHub()
  const [alpha, beta] = [await hub.join('alpha'), await hub.join('beta')]
  const first = await send(alpha, 'before')
  const file = await backUp(hub)
  await beta.client.call(api.ackInbox, { body: { ids: [first.id] } })
  await send(alpha, 'after')
  await hub.join('late')

  const said = await restored(hub, file)
  expect(said.code).toBe(0)
  expect(said.stdout).toMatch(/It holds 2 members and 1 message, 1 unread, as of its last change at 20/)
  expect(said.stdout).toMatch(/Unknown now, for they came later: late\. Invite them again\./)
  expect(await unread(beta)).toEqual(['before'])
  // Tokens from before the restore stay valid, including the admin's.
  await send(alpha, 'goes on')
  expect(await unread(beta)).toEqual(['before', 'goes on'])
  expect((await hub.client(hub.adminToken).call(api.listMembers)).members.map(({ name }) => name)).toEqual([
    'alpha',
    'beta',
  ])

  const [aside] = readdirSync(hub.dataDir).filter(name => name.startsWith('replaced-'))
  expect(checkBackup(join(hub.dataDir, aside!, 'hub.db'))).toMatchObject({ messages: 2, members: 3 })
  expect(statSync(join(hub.dataDir, 'hub.db')).mode & 0o777).toBe(0o600)
})

test('cursors from before a restore skip no message that is unread after it', async () => {
  const hub = await startHub()
  const [alpha, beta] = [await hub.join('alpha'), await hub.join('beta')]
  await send(alpha, 'one')
  const file = await backUp(hub)
  for (let n = 0; n < 5; n++) await send(alpha, `lost ${n}`)
  const { cursor } = await beta.client.call(api.readInbox)
  await restored(hub, file)
  // The cursor is past the seqs of these messages, since it comes from the discarded history.
  const two = await send(alpha, 'two')
  expect(two.seq).toBeLessThanOrEqual(Number(cursor.split(':')[1]))
  expect(await unread(beta, cursor)).toEqual(['one', 'two'])
  expect(await events(beta, cursor, 2)).toHaveLength(2)
})

test('revocations and bindings survive a restore, join codes are void, and a deleted member that returns is named and has no token', async () => {
  const hub = await startHub()
  const admin = hub.client(hub.adminToken)
  const [alpha, beta] = [await hub.join('alpha'), await hub.join('beta')]
  const delta = await hub.join('delta')
  const { code } = await admin.call(api.invite, { body: { name: 'gamma' } })
  const file = await backUp(hub)
  await admin.call(api.revokeMember, { params: { name: 'beta' } })
  await admin.call(api.deleteMember, { params: { name: 'delta' } })
  const token = mintToken('machine')
  await hub.client().call(api.join, { body: { code, machine: 'gamma', token } })
  await admin.call(api.bindMember, { params: { name: 'gamma' }, body: { ranges: ['127.0.0.0/8'] } })

  const said = await restored(hub, file)
  expect(said.stdout).toContain('what was revoked since stays revoked')
  expect(said.stdout).toContain('Back, though deleted since: delta.')
  await expect(delta.client.call(api.readInbox)).rejects.toMatchObject({ code: 'unauthorized' })
  await expect(beta.client.call(api.readInbox)).rejects.toMatchObject({ code: 'unauthorized' })
  await send(alpha, 'mail can wait for beta')
  // The code was already used; the token that its member got for it stays valid.
  await expect(
    hub.client().call(api.join, { body: { code, machine: 'gamma', token: mintToken('machine') } }),
  ).rejects.toMatchObject({ code: 'unauthorized' })
  expect(await hub.client(token).call(api.listMachines)).toMatchObject({ you: 'gamma' })
  const { members } = await hub.client(hub.adminToken).call(api.listMembers)
  expect(members.find(({ name }) => name === 'gamma')?.boundTo).toEqual(['127.0.0.0/8'])
})

test('if the previous store is unreadable, the tokens of the backup are valid and the command says so', async () => {
  const hub = await startHub()
  const [alpha, beta] = [await hub.join('alpha'), await hub.join('beta')]
  await send(alpha, 'before')
  const file = await backUp(hub)
  await send(alpha, 'after')
  // The write-ahead log remains; its content must not get into the restored store.
  await hub.stop('SIGKILL')
  expect(statSync(join(hub.dataDir, 'hub.db-wal')).size).toBeGreaterThan(0)
  rmSync(join(hub.dataDir, 'hub.db'))
  const said = await command('restore', file, '--data', hub.dataDir)
  expect(said).toMatchObject({ code: 0, stdout: expect.stringContaining('Every token of then counts again') })
  // The hub's key is not part of the store, and is kept.
  expect(said.stdout).not.toContain('identity.json')
  await hub.start()
  expect(await unread(beta)).toEqual(['before'])
  expect(await send(alpha, 'goes on')).toMatchObject({ recipients: [{ name: 'beta' }] })
})

test('restored into an empty directory a backup is a new hub, with an admin token and a key of its own', async () => {
  const hub = await startHub()
  const alpha = await hub.join('alpha')
  await hub.join('beta')
  await send(alpha, 'before')
  const file = await backUp(hub)
  const dataDir = join(tempDir('restore'), 'new')
  const restored = await command('restore', file, '--data', dataDir)
  expect(restored).toMatchObject({ code: 0, stdout: expect.stringContaining('There was no store before.') })
  expect(restored.stdout).toContain('- The hub will make a new key, for there is no identity.json here')
  const other = await startHub({ dataDir })
  expect((await other.client(other.adminToken).call(api.listMembers)).members).toHaveLength(2)
  await expect(other.client(hub.adminToken).call(api.listMembers)).rejects.toMatchObject({ code: 'unauthorized' })
  expect(other.hubKey).not.toBe(hub.hubKey)
})

test('a restore is refused while a hub runs, and of a file that is not a backup, with nothing changed', async () => {
  const hub = await startHub()
  await hub.join('alpha')
  const file = await backUp(hub)
  expect(await command('restore', file, '--data', hub.dataDir)).toMatchObject({
    code: 1,
    stderr: expect.stringMatching(/Another hub is running.*\nStop it first/),
  })
  await hub.stop()
  const before = readdirSync(hub.dataDir).sort()
  for (const [bad, why] of [
    ['admin.token', /is not a good backup/],
    ['audit.db', /it is not the store of a hub/],
    ['nothing.db', /There is no file/],
  ] as const) {
    expect(() => restore(join(hub.dataDir, bad), hub.dataDir)).toThrow(why)
    expect(readdirSync(hub.dataDir).sort()).toEqual(before)
  }
  expect((await command('restore', file)).stderr).toContain('Where shall it be restored?')
  await hub.start()
  expect((await hub.client(hub.adminToken).call(api.listMembers)).members).toHaveLength(1)
})

test('a drill restores, opens and compares without changing anything, and finds errors', async () => {
  const dir = tempDir('drill')
  const made = new TestState(dir)
  const [ana] = [made.member('ana'), made.member('ben')]
  made.send(ana, 'ben')
  made.state.close()
  const file = join(dir, 'hub.db')
  const before = statSync(file).mtimeMs
  const temp = tempDir('temp')
  const tried = await run(['restore', file, '--drill'], { node: hubNode, env: { TMPDIR: temp } })
  expect(tried).toMatchObject({ code: 0, stdout: expect.stringContaining('The drill is good') })
  expect(readdirSync(temp)).toEqual([])
  expect(readdirSync(dir)).toEqual(['hub.db'])
  expect(statSync(file).mtimeMs).toBe(before)
  // Also with an older schema: rows that the upgrade adds are not compared.
  const old = join(import.meta.dirname, 'golden/hub-v1.db')
  expect(await command('restore', old, '--drill', '--json')).toMatchObject({
    code: 0,
    stdout: expect.stringContaining('"schema":1'),
  })
})

test('a restore killed at any point leaves either store whole', async context => {
  if (!hasStrace()) context.skip('strace is not here to kill it at a point')
  const dir = tempDir('killed')
  const made = new TestState(join(dir, 'made'))
  const [ana, ben] = [made.member('ana'), made.member('ben')]
  made.send(ana, 'ben')
  made.state.close()
  const file = join(dir, 'backup.db')
  cpSync(join(dir, 'made/hub.db'), file)
  // The current store has newer entries, and was killed: part of them is in its log.
  const template = join(dir, 'template')
  mkdirSync(template)
  const running = new State(join(dir, 'made/hub.db'))
  running.applyBatch(
    [
      {
        seq: 100,
        time: made.time,
        command: {
          type: 'message.send',
          id: '019b0000-0000-7000-8000-000000000001',
          by: ben,
          to: ['ana'],
          body: 'later',
        },
      },
    ],
    () => {},
  )
  for (const suffix of ['', '-wal']) cpSync(join(dir, `made/hub.db${suffix}`), join(template, `hub.db${suffix}`))
  running.close()

  const shape = shapeOfBackup(file).filter(({ name }) => name === 'message' || name === 'delivery')
  const stateOf = (dataDir: string) => {
    new State(join(dataDir, 'hub.db')).close()
    return fingerprintAs(join(dataDir, 'hub.db'), shape)
  }
  const copy = (from: string, name: string) => {
    const to = join(dir, name)
    rmSync(to, { recursive: true, force: true })
    cpSync(from, to, { recursive: true })
    return to
  }
  const [oldState, newState] = [stateOf(copy(template, 'old')), fingerprintAs(file, shape)]
  expect(oldState).not.toBe(newState)
  const seen = new Set<string>()
  let kills = 0
  const points = { rename: [1, 2, 3, 4], fsync: [1, 4, 6, 8, 9, 10], mkdir: [2], pwrite64: [1, 8] }
  for (const [call, nth] of Object.entries(points).flatMap(([call, nths]) => nths.map(nth => [call, nth] as const))) {
    const dataDir = copy(template, 'data')
    const [strace, ...before] = killedAt(call, nth)
    const ran = await run(['restore', file, '--data', dataDir], { node: strace!, before: [...before, hubNode] })
    finishRestore(dataDir)
    // No data that was deleted since the backup may remain in a partially restored store.
    expect(readdirSync(dataDir).filter(name => name.includes('restor'))).toEqual([])
    const state = stateOf(dataDir)
    expect([oldState, newState], `killed at ${call} ${nth}`).toContain(state)
    if (ran.code === 0) continue
    kills++
    seen.add(state)
  }
  // The kills were both before and after the point of no return.
  expect(seen.size).toBe(2)
  expect(kills).toBeGreaterThan(8)
})
