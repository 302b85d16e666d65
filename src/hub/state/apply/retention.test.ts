import { expect, test } from 'vitest'
import { TestState } from '../../../../test/support/test-state.ts'
import { newMessageId } from '../../../protocol/ids.ts'
import { unreadAfter } from '../query/inbox.ts'
import { messageFor } from '../query/messages.ts'
import { Search } from '../words/search.ts'
import { limits } from './limits.ts'
import { nextDeletion } from './retention.ts'

const dayMs = 86_400_000

function start() {
  const made = new TestState()
  const [ana, ben, cat] = [made.member('ana'), made.member('ben'), made.member('cat')]
  const { db } = made.state
  const found = (q: string) => made.history(ana, { q })
  const all = () => made.history(ana)
  const text = (id: string) => messageFor(db, ana, id)?.message.body
  const ack = (by: number, id: string) => made.do({ type: 'inbox.ack', by, ids: [id] })
  const tickAfter = (ms: number) => {
    made.time += ms
    return made.do({ type: 'clock.tick' })
  }
  return { made, db, ana, ben, cat, found, all, text, ack, tickAfter }
}

test('a text is deleted 30 days after the last ack, to the millisecond, also from the search', () => {
  const { made, db, ana, ben, cat, found, text, ack, tickAfter } = start()
  const id = made.send(ana, ['ben', 'cat'], undefined, 'a rare walrus')
  expect(found('walrus')).toEqual([id])
  tickAfter(10 * dayMs)
  ack(ben, id)
  tickAfter(25 * dayMs)
  ack(cat, id)
  tickAfter(30 * dayMs - 1)
  expect([text(id), found('walrus')]).toEqual(['a rare walrus', [id]])
  tickAfter(1)
  expect([text(id), found('walrus')]).toEqual(['', []])
  expect(messageFor(db, ana, id)).toMatchObject({
    message: { textDeletedAt: new Date(made.time).toISOString() },
    deliveries: [{ status: 'acked' }, { status: 'acked' }],
  })
})

test('an unread message keeps its text however old it is', () => {
  const { made, db, ana, ben, text, ack, tickAfter } = start()
  const id = made.send(ana, 'ben')
  for (let n = 0; n < 30; n++) tickAfter(40 * dayMs)
  expect(unreadAfter(db, ben, 0, 10)).toMatchObject([{ id, body: 'hello' }])
  ack(ben, id)
  tickAfter(30 * dayMs - 1)
  expect(text(id)).toBe('hello')
  tickAfter(1)
  expect(text(id)).toBe('')
})

test('a text is kept for all recipients while one has not acked the message', () => {
  const { made, ana, ben, text, ack, tickAfter } = start()
  const id = made.send(ana, ['ben', 'cat'])
  ack(ben, id)
  tickAfter(31 * dayMs)
  tickAfter(31 * dayMs)
  expect(text(id)).toBe('hello')
})

test('the text of an expired message is deleted 30 days after its end', () => {
  const { made, ana, text, tickAfter } = start()
  const id = made.send(ana, 'ben', 60)
  tickAfter(60_000)
  tickAfter(30 * dayMs - 1)
  expect(text(id)).toBe('hello')
  tickAfter(1)
  expect(text(id)).toBe('')
})

test('without its text a message still recognizes a repeated send, and a conflict', () => {
  const { made, ana, ben, ack, tickAfter } = start()
  const id = made.send(ana, 'ben')
  ack(ben, id)
  tickAfter(31 * dayMs)
  const again = (body: string) => made.apply({ type: 'message.send', id, by: ana, to: ['ben'], body })
  expect(again('hello')).toMatchObject({ ok: true, result: { repeated: true } })
  expect(again('')).toMatchObject({ ok: false, refusal: { code: 'conflict' } })
})

test('a message and all its rows are deleted a year after it was over', () => {
  const { made, db, ana, ben, all, ack, tickAfter } = start()
  const id = made.send(ana, ['ben', 'cat'], 60)
  ack(ben, id)
  tickAfter(60_000)
  tickAfter(31 * dayMs)
  expect(all()).toEqual([id])
  tickAfter(334 * dayMs - 1)
  expect(all()).toEqual([id])
  tickAfter(1)
  expect(all()).toEqual([])
  const left = (table: string) => db.get<{ n: number }>(`select count(*) as n from ${table}`)!.n
  expect(['message', 'delivery', 'sent', 'received', 'kept'].map(left)).toEqual([0, 0, 0, 0, 0])
  expect(made.do({ type: 'message.send', id, by: ana, to: ['ben'], body: 'new' })).toMatchObject({ repeated: false })
})

test('a changed keepTextDays applies to stored messages too, in both directions', () => {
  const { made, ana, ben, text, ack, tickAfter } = start()
  const id = made.send(ana, 'ben')
  tickAfter(31 * dayMs)
  ack(ben, id)
  expect(made.do({ type: 'settings.set', keepTextDays: 60 })).toMatchObject({ keepTextDays: 60 })
  tickAfter(31 * dayMs)
  expect(text(id)).toBe('hello')
  expect(made.do({ type: 'settings.set' })).toMatchObject({ keepTextDays: 60 })
  made.do({ type: 'settings.set', keepTextDays: 31 })
  tickAfter(0)
  expect(text(id)).toBe('')
})

test('a message is not deleted before keepTextDays are over', () => {
  const { made, ana, ben, text, ack, tickAfter } = start()
  made.do({ type: 'settings.set', keepTextDays: 3650 })
  const id = made.send(ana, 'ben')
  ack(ben, id)
  tickAfter(3000 * dayMs)
  expect(text(id)).toBe('hello')
  tickAfter(650 * dayMs)
  tickAfter(0)
  expect(text(id)).toBeUndefined()
})

test('a tick deletes a bounded number of bytes, but at least one text; the next ticks continue', () => {
  const { made, db, ana, ben, ack, tickAfter } = start()
  const long = 'x'.repeat(limits.textBytesPerTick / 4)
  for (let n = 0; n < 10; n++) ack(ben, made.send(ana, 'ben', undefined, long))
  const left = () => db.get<{ n: number }>('select count(*) as n from message where text_deleted_at is null')!.n
  tickAfter(31 * dayMs)
  expect(left()).toBe(6)
  tickAfter(0)
  expect(left()).toBe(2)
  tickAfter(0)
  expect(left()).toBe(0)
})

test('a tick checks a bounded number of deliveries; the next ticks continue', () => {
  const { made, db, ana, ben, tickAfter } = start()
  const ids = Array.from({ length: limits.looksPerTick + 10 }, newMessageId)
  made.doAtOnce([
    ...ids.map(id => ({ type: 'message.send' as const, id, by: ana, to: ['ben'], body: 'x' })),
    { type: 'inbox.ack', by: ben, ids },
  ])
  const left = () => db.get<{ n: number }>('select count(*) as n from message where text_deleted_at is null')!.n
  tickAfter(31 * dayMs)
  expect(left()).toBe(10)
  tickAfter(0)
  expect(left()).toBe(0)
})

test('a message sent while the clock was ahead does not delay the deletion of later ones', () => {
  const { made, ana, ben, text, ack, tickAfter } = start()
  made.time += 100 * dayMs
  const early = made.send(ana, 'ben')
  ack(ben, early)
  made.time -= 100 * dayMs
  const late = made.send(ana, 'ben')
  ack(ben, late)
  tickAfter(30 * dayMs)
  expect([text(early), text(late)]).toEqual(['hello', ''])
  tickAfter(100 * dayMs)
  expect(text(early)).toBe('')
})

test.for([73, -56])('a wall clock that is %d years off for a while deletes neither text nor message early', years => {
  const { made, text, ana, ben, ack, tickAfter } = start()
  const step = (ms: number) => {
    made.time += ms
    made.clockOffset += ms
  }
  const before = made.send(ana, 'ben')
  ack(ben, before)
  tickAfter(29 * dayMs)
  step(years * 365 * dayMs)
  const meanwhile = made.send(ana, 'ben')
  ack(ben, meanwhile)
  tickAfter(600_000)
  expect([text(before), text(meanwhile)]).toEqual(['hello', 'hello'])
  step(-years * 365 * dayMs)
  tickAfter(600_000)
  expect([text(before), text(meanwhile)]).toEqual(['hello', 'hello'])
  tickAfter(dayMs)
  expect([text(before), text(meanwhile)]).toEqual(['', 'hello'])
  tickAfter(29 * dayMs)
  expect([text(before), text(meanwhile)]).toEqual(['', ''])
})

test('a deleted text is no longer found, indexed or not, and its words are removed from the index', () => {
  const { made, ana, ben, found, ack, tickAfter } = start()
  ack(ben, made.send(ana, 'ben', undefined, 'indexed walrus'))
  while (made.words.step().more);
  ack(ben, made.send(ana, 'ben', undefined, 'unindexed walrus'))
  tickAfter(31 * dayMs)
  const kept = made.send(ana, 'ben', undefined, 'late walrus')
  expect(found('walrus')).toEqual([kept])
  const indexed = () => [...made.words.find(new Search('walrus'), { reader: ana, before: 1e9 }, () => {})]
  expect(indexed()).toHaveLength(1)
  expect(made.words.step()).toEqual({ more: false, gone: 2 })
  expect(indexed()).toEqual([made.state.position.seq])
  expect(found('walrus')).toEqual([kept])
})

test('nextDeletion returns the next deletion plus 10 minutes, so that an idle hub submits no ticks', () => {
  const { made, db, ana, ben, ack, tickAfter } = start()
  expect(nextDeletion(db)).toBeUndefined()
  const from = made.time
  const id = made.send(ana, 'ben')
  expect(nextDeletion(db)).toBe(from + 30 * dayMs + 600_000)
  made.time += dayMs
  ack(ben, id)
  tickAfter(30 * dayMs - dayMs)
  expect(nextDeletion(db)).toBe(from + 31 * dayMs + 600_000)
  tickAfter(dayMs)
  expect(nextDeletion(db)).toBe(from + 366 * dayMs + 600_000)
  tickAfter(366 * dayMs)
  expect(nextDeletion(db)).toBeUndefined()
})
