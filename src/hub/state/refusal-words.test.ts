import { expect, test } from 'vitest'
import { TestState } from '../../../test/support/test-state.ts'
import { newMessageId } from '../../protocol/ids.ts'
import type { NotTaken } from './commands.ts'
import { activeBrakes } from './query/brakes.ts'
import { messageFor } from './query/messages.ts'
import { loopCode, loopInWords, notTakenInWords } from './refusal-words.ts'

const until = Date.parse('2026-01-02T03:04:05.000Z')

test.for<[NotTaken, string]>([
  [{ code: 'takes_none' }, 'ben takes no messages now.'],
  [
    { code: 'braked', until, why: loopCode({ messages: 31, windowS: 300 }) },
    'Mail between you and ben is stopped until 2026-01-02T03:04:05.000Z: 31 messages within 5 min looked like a loop.',
  ],
  [{ code: 'inbox_full', unread: 500 }, 'The inbox of ben is full: 500 messages are unread.'],
  [
    { code: 'share_full', own: 250 },
    'The inbox of ben has 250 unread messages of yours, the most that one sender may have there.',
  ],
  [{ code: 'reserved', unread: 450, own: 60 }, 'The inbox of ben is nearly full: 450 messages are unread.'],
])('%j says so in words', ([why, message]) => {
  expect(notTakenInWords('ben', why).message).toBe(message)
})

test('a loop is a code with its numbers; the words of older hubs are shown as they are', () => {
  expect(loopInWords(loopCode({ repeats: 6 }))).toBe('the same text 6 times running')
  expect(loopInWords('31 messages within 5 minutes')).toBe('31 messages within 5 minutes')
})

test('a store has codes, never sentences, and both the sender and a repeated send see words of them', () => {
  const made = new TestState()
  const [ana, ben, cat] = [made.member('ana'), made.member('ben'), made.member('cat')]
  made.do({ type: 'member.policy', by: ben, inbound: 'refuse' })
  const id = newMessageId()
  const command = { type: 'message.send' as const, id, by: ana, to: ['ben', 'cat'], body: 'hello' }
  made.do(command)
  const stored = () => made.state.db.get<{ outcome: string }>('select outcome from message where id = ?', id)!.outcome
  expect(JSON.parse(stored())).toMatchObject([
    { name: 'ben', reason: { code: 'takes_none' } },
    { name: 'cat', status: 'stored' },
  ])
  const shown = () => messageFor(made.state.db, ana, id)?.deliveries.find(({ member }) => member === ben)?.reason
  expect(shown()).toBe('ben takes no messages now.')
  expect(made.do(command).recipients[0]).toMatchObject({ reason: { code: 'takes_none' } })

  // What a hub of before had stored.
  made.state.db.run(`update message set outcome = replace(outcome, '{"code":"takes_none"}', '"ben slept then."')`)
  expect(stored()).toContain('"ben slept then."')
  expect(shown()).toBe('ben slept then.')

  const why = loopCode({ messages: 31, windowS: 300 })
  const notice = { id: newMessageId(), body: 'Wait.' }
  made.do({ type: 'pair.brake', from: ana, to: cat, until: made.time + 60_000, why, notice })
  expect(made.state.db.get('select why from brake')).toEqual({ why: 'messages:31:300' })
  expect(activeBrakes(made.state.db, made.time)).toMatchObject([{ why: '31 messages within 5 min' }])
})
