import { readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { ensureAdminToken } from '../src/hub/admin-token.ts'
import { Hub } from '../src/hub/hub.ts'
import { HistoryError, packBytes, packVersion, readPack } from '../src/hub/journal/log.ts'
import { type Command, entryVersion } from '../src/hub/state/commands.ts'
import { CannotReplay } from '../src/hub/state/state.ts'
import { parseToken } from '../src/protocol/token.ts'
import { carriedOut, inboxOf, invite, journalSuite, send } from './suites/journal-suite.ts'
import { logSuite } from './suites/log-suite.ts'
import { fingerprint } from './support/golden.ts'
import { OpenLogJournal } from './support/log-journal.ts'
import { MemoryLog } from './support/memory-log.ts'
import { tempDir } from './support/temp.ts'

journalSuite('in-memory log', () => OpenLogJournal.open())

logSuite('in-memory', async () => {
  const log = new MemoryLog()
  return [log.connect(), log.connect()]
})

/** Opens a hub on a log, with the machines ana (1), ben (2) and cat (3). */
async function start(): Promise<OpenLogJournal> {
  const opened = await OpenLogJournal.open()
  for (const machine of ['ana', 'ben', 'cat']) await opened.journal.submit(invite(machine))
  return opened
}

/** Waits until `opened` has applied its whole log. */
async function caughtUp({ state, log }: OpenLogJournal): Promise<void> {
  await expect.poll(() => state.position.offset).toBe(log.end)
}

/** Appends a pack after the newest record, as a hub at the position of `of` would. */
function write({ log, state }: OpenLogJournal, commands: Command[], more: object = {}): void {
  const { offset, hash, outcomes } = state.position
  const pack = { v: packVersion, time: 0, steady: 0, commands, after: { offset, hash, outcomes }, ...more }
  log.append(log.end, packBytes(pack))
}

test('two hubs that write at once have one history, one state and one chain of outcomes', async () => {
  const one = await start()
  const other = await OpenLogJournal.open(one.log)
  expect(inboxOf(other.state, 'ben')).toEqual([])
  const outcomes = await Promise.all(
    Array.from({ length: 60 }, async (_, index) => {
      const { journal } = index % 2 ? one : other
      const outcome = await journal.submit(send({ body: `${index}` }))
      if (index % 7 === 0) await journal.submit(send({ to: ['nobody'] }))
      return outcome
    }),
  )
  const seqs = outcomes.map(outcome => carriedOut<ReturnType<typeof send>>(outcome).seq)
  expect(new Set(seqs).size).toBe(60)
  await caughtUp(one)
  await caughtUp(other)
  expect(other.state.position).toEqual(one.state.position)
  expect(fingerprint(other.state.db)).toBe(fingerprint(one.state.db))
})

test.for(['nothing', 'stored'] as const)(
  'an append that failed with the effect %s is retried, and counts once',
  async failure => {
    const opened = await start()
    opened.log.failures.push(failure, failure)
    expect(carriedOut(await opened.journal.submit(send()))).toMatchObject({ repeated: false })
    expect(inboxOf(opened.state, 'ben')).toEqual(['hello'])
    expect(opened.log.end).toBe(4)
  },
)

test('while the log does not respond a submitter gets unavailable, and may retry', async () => {
  const opened = await start()
  opened.log.failures.push(...Array.from({ length: 20 }, () => 'nothing' as const))
  const command = send()
  await expect(opened.journal.submit(command)).rejects.toMatchObject({ code: 'unavailable' })
  opened.log.failures.length = 0
  expect(carriedOut(await opened.journal.submit(command))).toMatchObject({ repeated: false })
  expect(inboxOf(opened.state, 'ben')).toEqual(['hello'])
})

test('no submitter is answered, and nothing can be read, before the log has the record', async () => {
  const opened = await start()
  const { log } = opened
  const append = log.append.bind(log)
  log.append = (after, bytes) => {
    expect(inboxOf(opened.state, 'ben')).toEqual([])
    expect(opened.commits).toHaveLength(3)
    return append(after, bytes)
  }
  await opened.journal.submit(send())
  expect(inboxOf(opened.state, 'ben')).toEqual(['hello'])
})

test('a crash between the log and the state loses nothing: the next start applies the records of the log', async () => {
  const opened = await start()
  await opened.close()
  write(opened, [send({ body: 'in the log alone' })])
  await opened.open()
  expect(inboxOf(opened.state, 'ben')).toEqual(['in the log alone'])
})

test.for<[string, Command, object, RegExp]>([
  ['an unknown command', { type: 'message.teleport' } as unknown as Command, {}, /Upgrade/],
  ['an unknown command of the bridge', { type: 'telegram.teleport' } as unknown as Command, {}, /Upgrade/],
  ['a pack of a newer version', send(), { v: packVersion + 1 }, /Upgrade/],
  ['an entry of newer rules', send(), { rules: entryVersion + 1 }, /Upgrade/],
  ['a command that throws', send({ by: 99 }), {}, /Report/],
])('%s in the log stops the hub, which says what to do; the pack is not applied', async ([, command, more, hint]) => {
  const opened = await start()
  write(opened, [send({ body: 'before' }), command], more)
  await expect.poll(() => opened.errors).toMatchObject([{ fatal: true, error: { hint: expect.stringMatching(hint) } }])
  expect(inboxOf(opened.state, 'ben')).toEqual([])
  await expect(opened.journal.submit(send())).rejects.toMatchObject({ code: 'unavailable' })
  await opened.close()
  await expect(opened.open()).rejects.toThrow(opened.errors[0]!.error as Error)
})

test.for(['{', '', 'null', '7', '{"commands":[]}', '{"v":1}', '{"v":1,"commands":[]}'])(
  'a record that is not a pack (%j) stops the hub, and is not applied',
  async text => {
    const opened = await start()
    const { position } = opened.state
    opened.log.append(opened.log.end, Buffer.from(text))
    await expect
      .poll(() => opened.errors)
      .toMatchObject([{ fatal: true, error: { name: 'HistoryError', hint: expect.stringContaining('Report') } }])
    expect(opened.state.position).toBe(position)
    await opened.close()
    await expect(opened.open()).rejects.toThrow('not a pack')
  },
)

test('a pack is written by the rules in force, which may be older than those of the program', async () => {
  const one = await start()
  one.state.db.run('update rules set version = 2')
  await one.journal.submit(send())
  expect(readPack(one.log.at(one.log.end))).toMatchObject({ rules: 2 })
  carriedOut(await one.journal.submit({ type: 'rules.raise', to: entryVersion }))
  await one.journal.submit(send())
  expect(readPack(one.log.at(one.log.end))).toMatchObject({ rules: entryVersion })
})

test('a program that is older than the rules in force does not start', async () => {
  const opened = await start()
  opened.state.db.run('update rules set version = ?', entryVersion + 1)
  await opened.close()
  await expect(opened.open()).rejects.toMatchObject({ hint: 'Upgrade this hub.' })
})

test('a hub that never succeeds in appending reports that to its submitters, and stores nothing', async () => {
  const opened = await start()
  const { log } = opened
  const append = log.append.bind(log)
  // Another hub always appends first.
  const lose: typeof append = (after, bytes) => {
    log.append = append
    if (log.end === after) write(opened, [{ type: 'clock.tick' }])
    log.append = lose
    return append(after, bytes)
  }
  log.append = lose
  await expect(opened.journal.submit(send())).rejects.toThrow(/no turn/)
  log.append = append
  expect(inboxOf(opened.state, 'ben')).toEqual([])
  carriedOut(await opened.journal.submit(send()))
})

test('of three hubs that write without a pause each succeeds', async () => {
  const one = await OpenLogJournal.open(new MemoryLog(), { hub: 'h0', patienceMs: 10_000 })
  for (const machine of ['ana', 'ben', 'cat']) await one.journal.submit(invite(machine))
  for (const name of ['h0', 'h1', 'h2'])
    await one.journal.submit({ type: 'hub.announce', name, version: '1.0.0', entryVersion })
  const others = await Promise.all(['h1', 'h2'].map(hub => OpenLogJournal.open(one.log, { hub, patienceMs: 10_000 })))
  const began = one.log.end
  const written = await Promise.all(
    [one, ...others].map(async ({ journal }) => {
      for (let count = 0; count < 40; count++) carriedOut(await journal.submit(send({ to: ['cat'] })))
      return one.log.end - began
    }),
  )
  // No hub finished long before the others started.
  expect(Math.min(...written)).toBeGreaterThan(40 * 1.5)
})

test('an entry of a newer version is not applied', async () => {
  const { state } = await start()
  const newer = { v: entryVersion + 1, seq: 4, time: 0, steady: 0, command: send() }
  expect(() => state.replay([newer])).toThrow(CannotReplay)
  expect(state.position.seq).toBe(3)
})

test('a log that was set back is detected at the start, and by a running hub', async () => {
  const opened = await start()
  await opened.journal.submit(send())
  const [running, behind] = [opened, await OpenLogJournal.open(opened.log.fork())]
  await behind.close()
  behind.log.setBack(2)
  await expect(behind.open()).rejects.toThrow(/was set back/)

  running.log.setBack(3)
  await expect(running.journal.submit(send())).rejects.toMatchObject({ code: 'unavailable' })
  expect(running.errors).toMatchObject([{ fatal: true, error: { name: 'HistoryError' } }])
})

test('a log that diverged, or belongs to another history, is detected', async () => {
  const opened = await start()
  await opened.close()
  const other = await start()
  await other.journal.submit(send())
  opened.log = other.log
  await expect(opened.open()).rejects.toThrow(/read another log/)
  opened.log = new MemoryLog('another')
  await expect(opened.open()).rejects.toThrow(/history another/)
})

test('a hub whose state differs is stopped by the next record of another hub', async () => {
  const one = await start()
  const other = await OpenLogJournal.open(one.log)
  other.state.db.run("update member set inbound = 'refuse' where name = 'ben'")
  await one.journal.submit(send())
  await caughtUp(other)
  await one.journal.submit(send())
  await expect
    .poll(() => other.errors)
    .toMatchObject([{ fatal: true, error: { message: expect.stringMatching(/other outcomes/) } }])
  expect(one.errors).toEqual([])
})

test('a command that once failed in the local journal changes nothing when it is replayed', async () => {
  const { state } = await start()
  const { position } = state
  const bytes = packBytes({ v: packVersion, time: 0, steady: 0, commands: [send()], failed: [0] })
  const entry = { v: 1, seq: 4, time: 0, steady: 0, command: readPack(bytes).commands[0]!, failed: true as const }
  expect(state.replay([entry])).toMatchObject([{ ok: false, refusal: { code: 'internal' } }])
  expect(state.position.seq).toBe(position.seq + 1)
  expect(inboxOf(state, 'ben')).toEqual([])
})

test('a hub that needs trimmed records reports it', async () => {
  const opened = await start()
  await opened.log.connect().trim(2)
  await expect(OpenLogJournal.open(opened.log)).rejects.toThrow(HistoryError)
  await opened.journal.submit(send())
  expect(opened.errors).toEqual([])
})

test("each hub's admin token stays valid when another hub of the history starts; a new one only replaces that of its own file", async () => {
  const log = new MemoryLog()
  const start = async (dataDir: string) => {
    const { state, journal } = await OpenLogJournal.open(log)
    const hub = new Hub({ state, journal, dataDir, onBug: () => {}, onStorageError: () => {} })
    onTestFinished(() => hub.close())
    await ensureAdminToken(hub, dataDir)
    return { state, hub, token: () => parseToken(readFileSync(join(dataDir, 'admin.token'), 'utf8').trim())!.id }
  }
  const dirs = [tempDir('hub'), tempDir('hub')] as const
  const [one, other] = [await start(dirs[0]), await start(dirs[1])]
  const counting = () =>
    one.state.db.all<{ id: string }>(`select id from token where role = 'admin'`).map(({ id }) => id)
  const first = one.token()
  await expect.poll(counting).toEqual([first, other.token()].sort())
  await ensureAdminToken(one.hub, dirs[0])
  expect(one.token()).toBe(first)
  rmSync(join(dirs[0], 'admin.token'))
  await ensureAdminToken(one.hub, dirs[0])
  expect(one.token()).not.toBe(first)
  expect(counting()).toEqual([one.token(), other.token()].sort())
})
