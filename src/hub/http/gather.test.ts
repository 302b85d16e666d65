import { expect, test } from 'vitest'
import { TestState } from '../../../test/support/test-state.ts'
import { newMessageId } from '../../protocol/ids.ts'
import { Presence } from '../push/presence.ts'
import type { CommandOf } from '../state/commands.ts'
import { messageAt } from '../state/query/messages.ts'
import { lateAnswers } from '../state/query/requests.ts'
import { gatherOf } from './gather.ts'

/** Sets up Ana and the members `names` whom she asks, with clocks that the test moves. */
function asking(names: string[]) {
  const made = new TestState()
  const { db } = made.state
  const ana = made.member('ana')
  const others = new Map(names.map(name => [name, made.member(name)]))
  let awake = 0
  const presence = new Presence({ monotonic: () => awake, isFirst: true })
  const send = (by: number, to: string[], more: Partial<CommandOf<'message.send'>> = {}) => {
    const id = newMessageId()
    made.do({ type: 'message.send', id, by, to, body: 'hello', ...more })
    return id
  }
  return {
    made,
    ana,
    others,
    presence,
    send,
    ask: (to: string[], more: Partial<CommandOf<'message.send'>> = {}) => send(ana, to, { intent: 'request', ...more }),
    answer: (name: string, replyTo: string, more: Partial<CommandOf<'message.send'>> = {}) =>
      send(others.get(name)!, ['ana'], { replyTo, intent: 'inform', ...more }),
    comes: (...whom: string[]) => {
      for (const name of whom) presence.beat(others.get(name)!, 's1', 'test/1')
    },
    goes: (name: string) => presence.end(others.get(name)!, 's1'),
    gather: (id: string, reader = ana) => {
      const { seq } = db.get<{ seq: number }>('select seq from message where id = ?', id)!
      const sent = messageAt(db, reader, seq, lateAnswers(db))!
      return gatherOf({ presence, steadyNow: made.time - made.clockOffset }, sent)
    },
    /** Advances the clock of presence. */
    pass: (ms: number) => {
      for (const end = awake + ms; awake < end; presence.sweep()) awake = Math.min(end, awake + 1000)
    },
  }
}

test('a question to several is open until all have answered; each recipient counts once, acks and answers of others do not count', () => {
  const { ask, answer, comes, gather, made, others, send } = asking(['ben', 'cat', 'dan'])
  comes('ben', 'cat', 'dan')
  const id = ask(['ben', 'cat'])
  expect(gather(id)).toEqual({ of: 2, answered: 0, open: true, leftMs: 600_000 })
  answer('ben', id)
  answer('ben', id)
  made.do({ type: 'inbox.ack', by: others.get('cat')!, ids: [id] })
  made.do({ type: 'message.send', id: newMessageId(), by: others.get('dan')!, to: ['ana'], body: 'and I', replyTo: id })
  expect(gather(id)).toMatchObject({ answered: 1, open: true })
  answer('cat', id)
  expect(gather(id)).toMatchObject({ of: 2, answered: 2, open: false })
  // Only its sender sees the state, and other messages have none.
  expect(gather(id, others.get('ben')!)).toBe(undefined)
  for (const other of [ask(['ben']), ask(['ben', 'ben']), ask(['ben', 'cat'], { intent: 'inform' }), send(1, ['all'])])
    expect(gather(other)).toBe(undefined)
  expect(gather(ask(['all'], { intent: 'urgent' }))).toMatchObject({ of: 3 })
})

test('a recipient that refused it, let it expire or was deleted owes no answer', () => {
  const { ask, answer, comes, gather, made, others } = asking(['ben', 'cat', 'dan'])
  comes('ben', 'cat', 'dan')
  made.do({ type: 'member.policy', by: others.get('dan')!, inbound: 'refuse' })
  const id = ask(['ben', 'cat', 'dan'], { expiresInS: 60 })
  answer('ben', id)
  expect(gather(id)).toMatchObject({ of: 3, answered: 1, open: true })
  made.time += 60_000
  made.do({ type: 'clock.tick' })
  expect(gather(id)).toMatchObject({ answered: 1, open: false })
  const other = ask(['ben', 'cat'])
  answer('ben', other)
  made.do({ type: 'member.delete', name: 'cat' })
  expect(gather(other)).toMatchObject({ open: false })
})

test('a question is closed when somebody has answered and no online recipient owes an answer', () => {
  const { ask, answer, comes, goes, gather } = asking(['ben', 'cat', 'dan'])
  comes('ben', 'cat')
  const id = ask(['ben', 'cat', 'dan'])
  goes('ben')
  goes('cat')
  expect(gather(id)).toMatchObject({ answered: 0, open: true })
  comes('ben', 'cat')
  answer('ben', id)
  expect(gather(id)).toMatchObject({ answered: 1, open: true })
  goes('cat')
  expect(gather(id)).toMatchObject({ answered: 1, open: false })
  comes('dan')
  expect(gather(id)).toMatchObject({ open: true })
})

test('after a start of the hub nobody counts as offline for 15 s, as heartbeats are yet to arrive', () => {
  const { ask, answer, gather, made } = asking(['ben', 'cat'])
  const id = ask(['ben', 'cat'])
  answer('ben', id)
  expect(gather(id)).toMatchObject({ open: false })
  const { db } = made.state
  const sent = messageAt(
    db,
    1,
    db.get<{ seq: number }>('select seq from message where id = ?', id)!.seq,
    lateAnswers(db),
  )!
  let awake = 0
  const presence = new Presence({ monotonic: () => awake })
  const isOpen = () => gatherOf({ presence, steadyNow: made.time }, sent)!.open
  for (; awake < 15_000; awake += 1000) expect(isOpen()).toBe(true)
  expect(isOpen()).toBe(false)
})

test('a question is closed when its time is over, whatever the wall clock says, and its messages stay', () => {
  const { ask, answer, comes, gather, made } = asking(['ben', 'cat'])
  comes('ben', 'cat')
  const id = ask(['ben', 'cat'], { withinS: 30 })
  answer('ben', id)
  const day = 86_400_000
  for (const byMs of [day, -2 * day, day]) {
    made.time += byMs
    made.clockOffset += byMs
    expect(gather(id)).toMatchObject({ open: true, leftMs: 30_000 })
  }
  made.time += 29_999
  expect(gather(id)).toMatchObject({ open: true, leftMs: 1 })
  made.time += 1
  made.do({ type: 'clock.tick' })
  expect(gather(id)).toEqual({ of: 2, answered: 1, open: false, leftMs: 0 })
  const unread = made.state.db.all<{ name: string; unread: number }>(
    'select name, unread from member where id > 0 order by id',
  )
  expect(unread.map(({ name, unread }) => `${name} ${unread}`)).toEqual(['ana 1', 'ben 0', 'cat 1'])
})
