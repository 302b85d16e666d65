import { expect, test } from 'vitest'
import { maxBodyBytes, maxExpiryS } from '../../protocol/messages.ts'
import { type Draft, emptyDraft, maxBytes, maxExpiresS, requestOf } from './draft.ts'

const clock = { now: Date.parse('2026-11-27T18:30:00Z'), timeZone: 'Europe/Berlin' }
const read = (draft: Partial<Draft>) => requestOf({ ...emptyDraft, to: 'ana', body: 'hi', ...draft }, 'id', clock)

test('the limits are those of the protocol', () => {
  expect([maxBytes, maxExpiresS]).toEqual([maxBodyBytes, maxExpiryS])
})

test('the request for a draft has no fields that were not filled in', () => {
  expect(read({})).toEqual({ id: 'id', to: 'ana', body: 'hi' })
  expect(read({ to: 'ana, ben/billing' })).toEqual({ id: 'id', to: ['ana', 'ben/billing'], body: 'hi' })
  expect(read({ at: 'tomorrow 9:00', expires: '1h 30m', intent: 'urgent' })).toEqual({
    ...{ id: 'id', to: 'ana', body: 'hi', intent: 'urgent', at: '2026-11-28T08:00:00.000Z', expiresInS: 5400 },
  })
})

test('an answer is an inform unless it asks back', () => {
  expect(read({ replyTo: 'q', answersFor: 'anaclaude' })).toMatchObject({ intent: 'inform', answersFor: 'anaclaude' })
  expect(read({ replyTo: 'q', intent: 'request' })).toMatchObject({ intent: 'request' })
})

test.each([
  [{ to: ' , ' }, 'to', /Enter a recipient/],
  [{ body: ' \n\u200b' }, 'body', /Enter a text/],
  [{ body: 'ä'.repeat(16_385) }, 'body', /the limit is 32\.8 kB/],
  [{ at: 'yesterday 9:00' }, 'at', /^'yesterday' is not a day/],
  [{ at: '9:00' }, 'at', /is past/],
  [{ expires: 'soon' }, 'expires', /^That is not a duration\. Write 90s/],
  [{ expires: '400d' }, 'expires', /a year/],
] as const)('an error of %j is reported at its field', (draft, field, sentence) => {
  const { wrong } = read(draft as Partial<Draft>) as { wrong: Record<string, string> }
  expect(Object.keys(wrong)).toEqual([field])
  expect(wrong[field]).toMatch(sentence)
})

test('an unpaired surrogate, which JSON cannot carry, is replaced', () => {
  expect(read({ body: 'a\ud800' })).toMatchObject({ body: 'a\ufffd' })
})
