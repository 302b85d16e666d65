import fc from 'fast-check'
import { expect, test } from 'vitest'
import { newMessageId } from './ids.ts'
import { isUsualSend, SendRequest } from './messages.ts'

const id = fc.constantFrom<unknown>(newMessageId(), newMessageId().toUpperCase(), undefined, '', 'no-id', 7, null)
const to = fc.oneof(
  fc.constantFrom<unknown>(
    'chasclaude',
    'all',
    'Sean',
    '@sean',
    ' sean',
    '',
    'sean/billing',
    'sean/',
    'sean/a/b',
    'sean/Billing',
    'x'.repeat(101),
    ['sean'],
    [],
    null,
    5,
  ),
  fc.string(),
)
const body = fc.oneof(
  fc.constantFrom<unknown>('hello', '', ' \n', '\u200b', '\ud800', 'é\u0000', 5),
  fc.string({ unit: 'binary' }),
)
const send = fc.record(
  {
    id,
    to,
    body,
    replyTo: id,
    intent: fc.constantFrom<unknown>('urgent', 'inform', 'shout', undefined, 3),
    expiresInS: fc.constantFrom<unknown>(60, 0, undefined),
    fromProject: fc.constantFrom<unknown>('web', '', 'Web', 'a/b', undefined, 5),
    from: fc.constant('chas'),
  },
  { requiredKeys: [] },
)

/** Mostly usual, with one thing or another that is not. */
const nearlyUsual = fc
  .tuple(
    fc.constantFrom('chasclaude', 'all', 'a-1'),
    fc.string({ unit: 'binary' }),
    send,
    fc.subarray(['id', 'to', 'body', 'replyTo', 'intent', 'expiresInS', 'fromProject', 'from'], { maxLength: 2 }),
  )
  .map(([name, text, odd, keys]) => ({
    ...{ id: newMessageId(), to: name, body: text },
    ...Object.fromEntries(keys.flatMap(key => (key in odd ? [[key, odd[key as keyof typeof odd]]] : []))),
  }))

test('the schema accepts every usual send unchanged', () => {
  let usual = 0
  fc.assert(
    fc.property(fc.oneof(send, nearlyUsual, fc.jsonValue()), value => {
      if (!isUsualSend(value)) return
      usual++
      expect(SendRequest.parse(value)).toEqual(value)
    }),
    { numRuns: 2000 },
  )
  expect(usual).toBeGreaterThan(100)
})

test('the sends of all our clients are usual', () => {
  const message = { id: newMessageId(), to: 'sean33claude', body: 'The build is red.' }
  for (const more of [
    {},
    { intent: 'urgent' },
    { replyTo: newMessageId() },
    { id: undefined },
    { fromProject: 'web' },
    { to: 'sean/web' },
  ])
    expect(isUsualSend({ ...message, ...more })).toBe(true)
})
