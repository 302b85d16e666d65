import { expect, test } from 'vitest'
import { TestState } from '../../../../test/support/test-state.ts'
import { unreadAfter, unreadCount } from '../query/inbox.ts'
import { nextDue } from '../query/members.ts'
import { limits } from './limits.ts'

function start() {
  const made = new TestState()
  const [ana, ben, cat] = [made.member('ana'), made.member('ben'), made.member('cat')]
  return { made, ana, ben, cat, tick: () => made.do({ type: 'clock.tick' }).expired }
}

test('a message expires by the first tick at or after its end, to the millisecond', () => {
  const { made, ana, ben, tick } = start()
  made.send(ana, 'ben', 10)
  made.time += 9999
  expect(tick()).toBe(0)
  expect(unreadCount(made.state.db, ben)).toBe(1)
  made.time += 1
  expect(tick()).toBe(1)
  expect(unreadCount(made.state.db, ben)).toBe(0)
  expect(unreadAfter(made.state.db, ben, 0, 10)).toEqual([])
  expect(tick()).toBe(0)
})

test('a message is unread until a tick expires it, however much time has passed', () => {
  const { made, ana, ben } = start()
  made.send(ana, 'ben', 10)
  made.time += 60_000
  made.send(ana, 'ben')
  expect(unreadAfter(made.state.db, ben, 0, 10)).toHaveLength(2)
})

test('a message that one recipient has acked expires for the others, and its sender is woken once', () => {
  const { made, ana, ben, cat } = start()
  const id = made.send(ana, ['ben', 'cat'], 10)
  made.do({ type: 'inbox.ack', by: ben, ids: [id] })
  made.time += 10_000
  expect(made.apply({ type: 'clock.tick' })).toMatchObject({ result: { expired: 1 }, effects: { wake: [ana] } })
  expect(unreadCount(made.state.db, ben)).toBe(0)
  expect(unreadCount(made.state.db, cat)).toBe(0)
})

test(`a tick expires at most ${limits.expiredPerTick} messages, the longest due first; the next tick continues`, () => {
  const { made, ana, ben, tick } = start()
  const later = made.send(ana, 'ben', 20)
  for (let i = 0; i < limits.expiredPerTick; i++) made.send(ana, 'ben', 10)
  made.time += 60_000
  expect(tick()).toBe(limits.expiredPerTick)
  expect(unreadAfter(made.state.db, ben, 0, 10).map(({ id }) => id)).toEqual([later])
  expect(tick()).toBe(1)
  expect(tick()).toBe(0)
})

test('a tick that found only acked messages reports that more may be due', () => {
  const { made, ana, ben } = start()
  const read = Array.from({ length: limits.expiredPerTick }, () => made.send(ana, 'ben', 10))
  made.do({ type: 'inbox.ack', by: ben, ids: read })
  made.send(ana, 'ben', 20)
  made.time += 60_000
  expect(made.do({ type: 'clock.tick' })).toEqual({ expired: 0, more: true })
  expect(made.do({ type: 'clock.tick' })).toEqual({ expired: 1, more: false })
})

test('nextDue returns the next expiry, so that an idle hub submits no ticks', () => {
  const { made, ana } = start()
  expect(nextDue(made.state.db)).toBeUndefined()
  const from = made.time
  made.send(ana, 'ben', 20)
  made.send(ana, 'ben', 10)
  made.send(ana, 'ben')
  expect(nextDue(made.state.db)).toBe(from + 10_000)
  made.time += 10_000
  made.do({ type: 'clock.tick' })
  expect(nextDue(made.state.db)).toBe(from + 20_000)
  made.time += 10_000
  made.do({ type: 'clock.tick' })
  expect(nextDue(made.state.db)).toBeUndefined()
})
