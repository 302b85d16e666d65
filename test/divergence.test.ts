import { rmSync } from 'node:fs'
import { expect, test } from 'vitest'
import { carriedOut, inboxOf, invite, send } from './suites/journal-suite.ts'
import { fingerprint } from './support/golden.ts'
import { OpenLogJournal } from './support/log-journal.ts'
import { MemoryLog } from './support/memory-log.ts'

/** Opens `size` hubs, h0, h1, …, on one log, all announced, with the machines ana (1), ben (2) and cat (3). */
async function hubs(size: number): Promise<OpenLogJournal[]> {
  const log = new MemoryLog()
  const opened: OpenLogJournal[] = []
  for (let index = 0; index < size; index++) opened.push(await openHub(log, index))
  for (const machine of ['ana', 'ben', 'cat']) await opened[0]!.journal.submit(invite(machine))
  await level(opened)
  return opened
}

async function openHub(log: MemoryLog, index: number): Promise<OpenLogJournal> {
  const name = `h${index}`
  const opened = await OpenLogJournal.open(log, { hub: name, patienceMs: 10_000 })
  await opened.journal.submit({ type: 'hub.announce', name, version: '1.0.0', entryVersion: 3 })
  return opened
}

/** Waits until each hub has applied the whole log. */
async function level(opened: OpenLogJournal[]): Promise<void> {
  for (const { state, log } of opened) await expect.poll(() => state.position.offset).toBe(log.end)
}

/** Makes sends to ben have another outcome at this hub from now on. */
function plant({ state }: OpenLogJournal): void {
  state.db.run("update member set inbound = 'refuse' where name = 'ben'")
}

const takes = ({ journal }: OpenLogJournal) =>
  journal.submit(send({ to: ['cat'] })).then(
    outcome => carriedOut(outcome) && 'yes',
    (error: Error) => error.message,
  )

const stops = ({ errors }: OpenLogJournal) =>
  expect
    .poll(() => errors)
    .toMatchObject([{ fatal: true, error: { message: expect.stringContaining('more hubs agree with those') } }])

test.for([
  ['another hub writes', 1],
  ['it writes itself', 0],
] as const)('of three hubs the one that diverged stops, once %s, and the others continue', async ([, wrong]) => {
  const opened = await hubs(3)
  plant(opened[wrong]!)
  await opened[0]!.journal.submit(send())
  await opened[0]!.journal.submit(send())
  await stops(opened[wrong]!)
  await expect(opened[wrong]!.journal.submit(send())).rejects.toMatchObject({ code: 'unavailable' })
  const others = opened.filter((_, index) => index !== wrong)
  expect(await Promise.all(others.map(takes))).toEqual(['yes', 'yes'])
  await level(others)
  expect(others[0]!.errors.concat(others[1]!.errors)).toEqual([])
  expect(inboxOf(others[0]!.state, 'ben')).toEqual(['hello', 'hello'])
  expect(fingerprint(others[0]!.state.db)).toBe(fingerprint(others[1]!.state.db))

  // If it restarts with its store, it stops again; with an empty store, it reads the whole history and agrees with the majority.
  await opened[wrong]!.close()
  const again = opened[wrong]!.open()
  await again.then(
    () => others[0]!.journal.submit(send()).then(() => stops(opened[wrong]!)),
    () => {},
  )
  await opened[wrong]!.close()
  rmSync(opened[wrong]!.file)
  opened[wrong]!.errors.length = 0
  await opened[wrong]!.open()
  expect(await Promise.all(opened.map(takes))).toEqual(['yes', 'yes', 'yes'])
  await level(opened)
  expect(new Set(opened.map(({ state }) => fingerprint(state.db))).size).toBe(1)
})

test.for([2, 4])(
  '%i hubs of which half have diverged serve reads but no writes until one side has a snapshot of the other',
  async size => {
    const opened = await hubs(size)
    const wrong = opened.slice(size / 2)
    for (const hub of wrong) plant(hub)
    await opened[0]!.journal.submit(send())
    await opened.at(-1)!.journal.submit(send({ to: ['cat'] }))
    for (const hub of opened) await expect.poll(() => hub.journal.apart).toMatch(/takes no messages/)
    const answers = await Promise.all(opened.map(takes))
    for (const answer of answers) expect(answer).toMatch(/takes no messages: it has come to other outcomes than h/)
    expect(opened.flatMap(({ errors }) => errors)).toEqual([])
    expect(inboxOf(opened[0]!.state, 'ben')).toEqual(['hello'])
    expect(inboxOf(opened.at(-1)!.state, 'ben')).toEqual([])

    for (const hub of wrong) {
      await hub.close()
      rmSync(hub.file)
      opened[0]!.state.db.run('vacuum into ?', hub.file)
      await hub.open()
    }
    for (const hub of wrong) expect(await takes(hub)).toBe('yes')
    expect(await Promise.all(opened.map(takes))).toEqual(opened.map(() => 'yes'))
  },
)

test('a hub left alone with a dead one that diverged accepts messages once the dead one is removed', async () => {
  const [one, other] = (await hubs(2)) as [OpenLogJournal, OpenLogJournal]
  plant(other)
  await one.journal.submit(send())
  await level([one, other])
  await other.journal.submit(send({ to: ['cat'] })).catch(() => {})
  await other.close()
  await expect.poll(() => one.journal.apart, { timeout: 90_000 }).toMatch(/than h1/)
  expect(await takes(one)).toMatch(/takes no messages/)
  carriedOut(await one.journal.submit({ type: 'hub.forget', name: 'h1' }))
  expect(await takes(one)).toBe('yes')
})

test('of three hubs that have all diverged each serves reads, and none stops', async () => {
  const opened = await hubs(3)
  plant(opened[1]!)
  opened[2]!.state.db.run("update member set inbound = 'refuse' where name = 'cat'")
  await opened[0]!.journal.submit(send({ to: ['ben', 'cat'] }))
  await opened[0]!.journal.submit(send({ to: ['ana'] })).catch(() => {})
  for (const hub of opened) await expect.poll(() => hub.journal.apart, { timeout: 90_000 }).toMatch(/takes no messages/)
  expect(opened.flatMap(({ errors }) => errors)).toEqual([])
})

test('commands submitted while the correct outcome is unknown wait, and are carried out once', async () => {
  const opened = await hubs(3)
  plant(opened[1]!)
  await opened[0]!.journal.submit(send())
  const sends = Array.from({ length: 30 }, (_, index) =>
    opened[index % 2 ? 0 : 2]!.journal.submit(send({ to: ['cat'] })),
  )
  expect((await Promise.all(sends)).map(outcome => outcome.ok)).toEqual(sends.map(() => true))
  await stops(opened[1]!)
  await level([opened[0]!, opened[2]!])
  expect(inboxOf(opened[0]!.state, 'cat')).toHaveLength(30)
})
