import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { busyHour, busyMembers } from '../../../../test/support/busy-hour.ts'
import { ensureStore } from '../../../../test/support/empty-store.ts'
import { fingerprint } from '../../../../test/support/golden.ts'
import { printedSeed, seededRandom } from '../../../../test/support/random.ts'
import { tempDir } from '../../../../test/support/temp.ts'
import { newMessageId } from '../../../protocol/ids.ts'
import type { Command, Entry } from '../commands.ts'
import { State } from '../state.ts'
import { memberByName } from './find-member.ts'
import { unreadCount } from './inbox.ts'
import { forgetMembers } from './known-members.ts'

function open(): State {
  const file = join(tempDir('known'), 'hub.db')
  ensureStore(file)
  const state = new State(file)
  onTestFinished(() => state.close())
  return state
}

test('the cache of members does not affect the result: without it the rows and outcomes are the same', () => {
  const random = seededRandom(printedSeed())
  const [cached, uncached] = [open(), open()]
  const busy = busyHour(random)
  const sent: string[] = []
  const policy = (): Command => ({
    ...{ type: 'member.policy', by: 1 + Math.floor(random() * 3) },
    inbound: ['accept', 'hold', 'refuse'][Math.floor(random() * 3)]!,
  })
  /** Mostly sends to few inboxes, which become nearly full, and acks of their messages. */
  const next = (): Command => {
    const by = 1 + Math.floor(random() * 3)
    const chance = random()
    if (chance < 0.02) return policy()
    if (chance < 0.08) return busy.next().value as Command
    if (chance < 0.16) return { type: 'inbox.ack', by, ids: sent.splice(Math.floor(random() * sent.length), 12) }
    const id = newMessageId()
    sent.push(id)
    const [to, life] = [['ana', 'ben', 'cat'][by % 3]!, random() < 0.1 ? { expiresInS: 3600 } : {}]
    const intent = random() < 0.2 ? ({ intent: 'urgent' } as const) : {}
    return { type: 'message.send', id, by, to: [to], body: 'x'.repeat(random() * 40_000), ...life, ...intent }
  }
  // From a member that does not exist: it throws, and its whole batch is rolled back and applied again.
  const broken = (): Command => ({ type: 'message.send', id: newMessageId(), by: 999, to: ['ben', 'ana'], body: 'x' })
  const unread = ({ db }: State) => [1, 2, 3].map(member => unreadCount(db, member))
  const unreadUncached = () => {
    forgetMembers(uncached.db)
    return unread(uncached)
  }
  let time = 1_767_225_600_000
  let bugs = 0
  const apply = (batch: Command[]) => {
    time += Math.floor(random() * 3_600_000)
    const entries = () =>
      batch.map((command, n): Entry => ({ v: 1, seq: cached.applied.seq + 1 + n, time, steady: time, command }))
    const [ours, others] = [entries(), entries()]
    const first = cached.applyBatch(ours, () => bugs++)
    const second = others.flatMap(entry => {
      forgetMembers(uncached.db)
      return uncached.applyBatch([entry], () => {})
    })
    expect(first, JSON.stringify(batch)).toEqual(second)
    expect(unread(cached), JSON.stringify(batch)).toEqual(unreadUncached())
  }
  apply([...busyMembers, { type: 'settings.set', inboxMessages: 100, inboxBytes: 3_000_000 }])
  for (let round = 0; round < 300; round++) {
    const batch = Array.from({ length: 1 + Math.floor(random() * 4) }, next)
    if (random() < 0.3) batch.push(broken())
    apply(batch)
  }
  expect(fingerprint(cached.db)).toBe(fingerprint(uncached.db))
  expect(cached.position.outcomes).toBe(uncached.position.outcomes)
  expect(bugs).toBeGreaterThan(5)
})

test('a number of unread messages that is read before a commit is on disk is not cached', async () => {
  const state = open()
  const time = 1_767_225_600_000
  const entries = (...commands: Command[]) =>
    commands.map((command, n): Entry => ({ v: 1, seq: state.applied.seq + 1 + n, time, steady: time, command }))
  state.applyBatch(entries(...busyMembers), () => {})
  const ben = memberByName(state.db, 'ben')!.id
  const send: Command = { type: 'message.send', id: newMessageId(), by: 1, to: ['ben'], body: 'x' }
  // The second one empties the cache.
  const outcomes = state.applyUnsettled(entries(send, { type: 'settings.set', keepTextDays: 10 }), () => {})
  expect(outcomes).toMatchObject([{ ok: true }, { ok: true }])
  expect(unreadCount(state.db, ben)).toBe(0)
  await state.settle()
  expect(unreadCount(state.db, ben)).toBe(1)
})
