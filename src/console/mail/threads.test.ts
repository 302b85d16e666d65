import fc from 'fast-check'
import { expect, test } from 'vitest'
import { type Placed, threadRows } from './threads.ts'

const at = (seq: number, replyTo?: string): Placed => ({ id: `m${seq}`, seq, replyTo })

/** Returns the rows in short: `m3` starts a thread or stands alone, `  m4` answers, `  m5 (m1)` names the message that it answers. */
const drawn = (messages: Placed[]) =>
  threadRows(messages).map(
    ({ message, isAnswer, quotes }) => `${isAnswer ? '  ' : ''}${message.id}${quotes ? ` (${quotes})` : ''}`,
  )

test('answers are placed under their question, and the thread where its newest message is', () => {
  expect(drawn([at(1), at(2), at(3, 'm1'), at(4), at(5, 'm2'), at(6, 'm2')])).toEqual([
    ...['m1', '  m3'],
    'm4',
    ...['m2', '  m5', '  m6'],
  ])
})

test('an answer names the message that it answers if its place does not show it', () => {
  expect(drawn([at(1), at(2, 'm1'), at(3, 'm2'), at(4, 'm1'), at(5, 'm4'), at(6, 'm2')])).toEqual([
    'm1',
    '  m2',
    '  m3',
    '  m4 (m1)',
    '  m5',
    '  m6 (m2)',
  ])
})

test('answers to a message that is not loaded form one thread, and move under it when it is loaded', () => {
  expect(drawn([at(7, 'm2'), at(8), at(9, 'm2')])).toEqual(['m8', '  m7 (m2)', '  m9'])
  expect(drawn([at(2), at(7, 'm2'), at(8), at(9, 'm2')])).toEqual(['m8', 'm2', '  m7', '  m9'])
})

test('a message that claims to answer a newer one, or itself, is shown once', () => {
  expect(drawn([at(1, 'm2'), at(2, 'm1'), at(3, 'm3')]).length).toBe(3)
})

/** Messages with seqs from 1, each of which answers an earlier one or none. */
const histories = fc
  .array(fc.option(fc.nat()), { maxLength: 60 })
  .map(picks =>
    picks.map((pick, index) => at(index + 1, pick === null || index === 0 ? undefined : `m${1 + (pick % index)}`)),
  )

test('every message is shown once, the newest last, whatever order they arrive in', () => {
  fc.assert(
    fc.property(histories, history => {
      const rows = threadRows(history.toReversed())
      expect(rows.map(({ message }) => message.seq).toSorted((a, b) => a - b)).toEqual(history.map(({ seq }) => seq))
      expect(rows.at(-1)?.message.seq).toBe(history.at(-1)?.seq)
    }),
  )
})

test('older messages that are loaded later do not change the order of newer ones in a thread', () => {
  fc.assert(
    fc.property(histories, fc.nat(), (history, cut) => {
      const newer = history.slice(history.length === 0 ? 0 : cut % history.length)
      const before = threadRows(newer)
      const after = threadRows(history).map(({ message }) => message.id)
      const place = (id: string) => after.indexOf(id)
      for (let index = 1; index < before.length; index++) {
        if (before[index]!.startsThread) continue
        expect(place(before[index]!.message.id)).toBeGreaterThan(place(before[index - 1]!.message.id))
      }
      expect(after.at(-1)).toBe(before.at(-1)?.message.id)
    }),
  )
})
