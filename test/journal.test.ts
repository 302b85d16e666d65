import { copyFileSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import type { Command } from '../src/hub/state/commands.ts'
import { memberByName } from '../src/hub/state/query/find-member.ts'
import type { ClaudeNetError } from '../src/protocol/errors.ts'
import { carriedOut, inboxOf, invite, journalSuite, send } from './suites/journal-suite.ts'
import { type OpenLocalJournal, openLocalJournal } from './support/local-journal.ts'
import { tempDir } from './support/temp.ts'

journalSuite('local', openLocalJournal)

/** Opens a journal with the machines ana (1), ben (2) and cat (3). */
async function start(): Promise<OpenLocalJournal> {
  const opened = await openLocalJournal()
  for (const machine of ['ana', 'ben', 'cat']) await opened.journal.submit(invite(machine))
  return opened
}

/** Commands of a newer version of the program. */
const unknownCommands = ['message.teleport', 'telegram.teleport'].map(type => ({ type }) as unknown as Command)

describe('one transaction for many', () => {
  test('commands submitted in one turn are one commit on disk', async () => {
    const { journal, file } = await start()
    const before = commitsIn(`${file}-wal`)
    await Promise.all(Array.from({ length: 50 }, () => journal.submit(send())))
    expect(commitsIn(`${file}-wal`) - before).toBe(1)
  })

  test('commands submitted one after the other are one commit each, so each is durable before its response', async () => {
    const { journal, file } = await start()
    const before = commitsIn(`${file}-wal`)
    for (let i = 0; i < 5; i++) await journal.submit(send())
    expect(commitsIn(`${file}-wal`) - before).toBe(5)
  })

  test('a batch is bounded, so that no sender waits for thousands of others', async () => {
    const { journal, file } = await start()
    const before = commitsIn(`${file}-wal`)
    await Promise.all(Array.from({ length: 1200 }, () => journal.submit(send())))
    expect(commitsIn(`${file}-wal`) - before).toBeGreaterThanOrEqual(3)
  })
})

describe('a command that throws', () => {
  test.each([0, 1, 2].flatMap(place => unknownCommands.map(unknown => ({ place, unknown }))))(
    'returns internal at position $place of a batch ($unknown.type), and the other commands are stored',
    async ({ place, unknown }) => {
      const opened = await start()
      const commands: Command[] = [send({ body: 'one' }), send({ body: 'two' })]
      commands.splice(place, 0, unknown)
      const outcomes = await Promise.all(commands.map(command => opened.journal.submit(command)))
      expect(outcomes.map(outcome => (outcome.ok ? 'ok' : outcome.refusal.code))).toEqual(
        commands.map(command => (command === unknown ? 'internal' : 'ok')),
      )
      await opened.crash()
      expect(inboxOf(opened.state, 'ben')).toEqual(['one', 'two'])
      expect(opened.bugs).toMatchObject([{ entry: { command: unknown } }])
      expect(opened.storageErrors).toEqual([])
    },
  )

  test('a command that throws after it has written leaves no changes', async () => {
    const opened = await start()
    const outcomes = await Promise.all([
      opened.journal.submit(send({ body: 'one' })),
      // The member is inserted first; then the invitation fails, since its end is not a number.
      opened.journal.submit({ ...invite('dan'), lifeS: Number.NaN }),
      opened.journal.submit(send({ body: 'two' })),
    ])
    expect(outcomes.map(outcome => outcome.ok)).toEqual([true, false, true])
    expect(outcomes[1]).toMatchObject({ refusal: { code: 'internal' } })
    await opened.crash()
    expect(inboxOf(opened.state, 'ben')).toEqual(['one', 'two'])
    expect(memberByName(opened.state.db, 'dan')).toBeUndefined()
  })

  test('its id is not bound: the same message is stored once it can be applied', async () => {
    const opened = await start()
    const command = send({ by: 99 })
    expect(await opened.journal.submit(command)).toMatchObject({ ok: false, refusal: { code: 'internal' } })
    expect(carriedOut(await opened.journal.submit({ ...command, by: 1 }))).toMatchObject({ repeated: false })
  })
})

describe('effects', () => {
  test('are announced once the entry is durable, before its submitter is answered', async () => {
    const opened = await start()
    const heard: string[] = []
    opened.effects.push = () => heard.push(`effects, ben has ${inboxOf(opened.state, 'ben').length}`)
    await opened.journal.submit(send()).then(() => heard.push('submitter'))
    expect(heard).toEqual(['effects, ben has 1', 'submitter'])
  })

  test('are announced, like commits, when another process can read the entry', async () => {
    const opened = await start()
    const seen: number[] = []
    const look = () => {
      using db = new DatabaseSync(opened.file, { readOnly: true })
      return seen.push(Number(db.prepare('select count(*) as n from message').get()!.n))
    }
    opened.effects.push = look
    opened.commits.push = look
    await opened.journal.submit(send())
    await opened.journal.submit(send())
    expect(seen).toEqual([1, 1, 2, 2])
  })

  test('of a transaction that fails at its commit are not announced, and its submitters get no answer', async () => {
    const opened = await start()
    opened.effects.length = 0
    opened.commits.length = 0
    opened.state.db.execute(
      `create trigger broken before update on position begin select raise(abort, 'the position cannot be written'); end`,
    )
    const { position } = opened.state
    await expect(opened.journal.submit(send())).rejects.toMatchObject({ code: 'unavailable' })
    expect([opened.effects, opened.commits]).toEqual([[], []])
    expect(opened.state.position).toBe(position)
    expect(inboxOf(opened.state, 'ben')).toEqual([])
  })

  test('name the recipients of a message, and none when it is repeated or refused', async () => {
    const opened = await start()
    opened.effects.length = 0
    const command = send({ to: ['ben', 'cat'] })
    await opened.journal.submit(command)
    await opened.journal.submit(command)
    await opened.journal.submit(send({ to: ['nobody'] }))
    expect(opened.effects.map(({ wake = [] }) => wake)).toEqual([[2, 3], [], []])
  })
})

describe('a disk that fails', () => {
  test('a full disk returns unavailable to all who wait, and once there is room the same sends succeed', async () => {
    const opened = await start()
    const room = fillDisk(opened)
    const commands = Array.from({ length: 5 }, (_, index) => send({ body: `${index}`.padEnd(20_000, '.') }))
    const refused = await Promise.allSettled(commands.map(command => opened.journal.submit(command)))
    for (const each of refused) {
      expect(each).toMatchObject({ status: 'rejected', reason: { code: 'unavailable', settled: false } })
      expect((each as { reason: ClaudeNetError }).reason.message).toMatch(/disk is full/)
    }
    expect(opened.storageErrors).toMatchObject([{ fatal: false }])
    expect(inboxOf(opened.state, 'ben')).toEqual([])

    room.make()
    const outcomes = await Promise.all(commands.map(command => opened.journal.submit(command)))
    expect(outcomes.map(outcome => carriedOut(outcome))).toMatchObject(commands.map(() => ({ repeated: false })))
    await opened.crash()
    expect(inboxOf(opened.state, 'ben')).toEqual(commands.map(command => command.body))
  })

  test('any other storage error stops the journal permanently, and is reported', async () => {
    const opened = await start()
    // SQLite refuses to write (SQLITE_READONLY), as it would on a file system that was remounted read-only.
    opened.state.db.execute('pragma query_only = 1')
    const refused = await Promise.allSettled([opened.journal.submit(send()), opened.journal.submit(send())])
    expect(refused).toMatchObject([
      { status: 'rejected', reason: { code: 'unavailable' } },
      { status: 'rejected', reason: { code: 'unavailable' } },
    ])
    expect(opened.storageErrors).toMatchObject([{ fatal: true }])

    // Even if the disk works again, only a restart can determine its content.
    opened.state.db.execute('pragma query_only = 0')
    await expect(opened.journal.submit(send())).rejects.toMatchObject({ code: 'unavailable' })
    expect(inboxOf(opened.state, 'ben')).toEqual([])
    await opened.reopen()
    await opened.journal.submit(send({ body: 'after the restart' }))
    expect(inboxOf(opened.state, 'ben')).toEqual(['after the restart'])
  })

  test('commands that wait behind the storage error are refused too, and not stored', async () => {
    const opened = await start()
    opened.state.db.execute('pragma query_only = 1')
    const all = await Promise.allSettled(Array.from({ length: 1200 }, () => opened.journal.submit(send())))
    expect(all.filter(({ status }) => status === 'rejected')).toHaveLength(1200)
    await opened.journal.close()
    await opened.crash()
    expect(inboxOf(opened.state, 'ben')).toEqual([])
  })
})

test("times are those of the journal's clock, which may step back; only seq orders", async () => {
  const opened = await start()
  opened.now = () => Date.parse('2026-03-01T12:00:00.000Z')
  await opened.journal.submit(send({ body: 'first' }))
  opened.now = () => Date.parse('2026-03-01T11:00:00.000Z')
  const second = carriedOut(await opened.journal.submit(send({ body: 'second' })))
  expect(second).toMatchObject({ sentAt: Date.parse('2026-03-01T11:00:00.000Z') })
  expect(inboxOf(opened.state, 'ben')).toEqual(['first', 'second'])
})

test('wherever its write-ahead log is cut, a store contains the messages up to the position that it reports', async () => {
  const opened = await start()
  const from = statSync(`${opened.file}-wal`).size
  const bodies = ['one', 'two', 'three', 'four']
  for (const body of bodies) await opened.journal.submit(send({ body }))
  const wal = readFileSync(`${opened.file}-wal`)
  const copy = join(tempDir('cut'), 'hub.db')
  const found = new Set<number>()
  for (let cut = wal.length; cut >= from; cut -= 2060) {
    copyFileSync(opened.file, copy)
    writeFileSync(`${copy}-wal`, wal.subarray(0, cut))
    using db = new DatabaseSync(copy)
    const seq = Number(db.prepare('select seq from position').get()!.seq)
    const messages = db.prepare('select seq, body from message order by seq').all()
    expect(messages).toEqual(bodies.slice(0, seq - 3).map((body, n) => ({ seq: 4 + n, body })))
    found.add(seq)
  }
  expect([...found]).toEqual([7, 6, 5, 4, 3])
})

test('each start creates an epoch, and the state stores how many packs it has applied', async () => {
  const [one, other] = [await start(), await start()]
  const { epoch, offset } = one.state.position
  expect([epoch, offset]).toEqual([expect.stringMatching(/^[0-9a-f]{16}$/), 3])
  expect(other.state.position.epoch).not.toBe(epoch)
  await one.journal.submit(send())
  const { hash, outcomes } = one.state.position
  await one.crash()
  expect(one.state.position).toMatchObject({ offset: 4, hash, outcomes })
  expect(one.state.position.epoch).not.toBe(epoch)
})

/** Prevents the database from growing, as on a full disk (SQLITE_FULL). `make` frees space. */
function fillDisk({ state }: OpenLocalJournal): { make: () => void } {
  const { page_count: pages } = state.db.get<{ page_count: number }>('pragma page_count')!
  state.db.execute(`pragma max_page_count = ${pages}`)
  return { make: () => state.db.execute('pragma max_page_count = 1000000') }
}

/**
 * Returns the number of transactions in a write-ahead log: the last frame of each contains the database's size
 * (sqlite.org/fileformat2.html#walformat).
 */
function commitsIn(walFile: string): number {
  const wal = readFileSync(walFile)
  const frameBytes = 24 + wal.readUInt32BE(8)
  const salt = wal.subarray(16, 24)
  let commits = 0
  for (let at = 32; at + frameBytes <= wal.length; at += frameBytes) {
    if (!wal.subarray(at + 8, at + 16).equals(salt)) break
    if (wal.readUInt32BE(at + 4) > 0) commits++
  }
  return commits
}
