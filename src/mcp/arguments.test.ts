import { expect, test } from 'vitest'
import * as z from 'zod'
import { inboxArguments, sendArguments } from './arguments.ts'

const id = '01900000-0000-7000-8000-000000000001'
const other = '01900000-0000-7000-8000-000000000002'

test.each<[string, Record<string, unknown>, object]>([
  ['true as text', { ack: 'true' }, { ack: true }],
  ['True as text', { ack: ' True ' }, { ack: true }],
  ['true in a list', { ack: [true] }, { ack: true }],
  ['false', { ack: false }, {}],
  ['false as text', { ack: 'false' }, {}],
  ['null', { ack: null, limit: null }, {}],
  ['null as text', { ack: 'null', limit: 'null' }, {}],
  ['nothing', { ack: '', limit: '' }, {}],
  ['an empty list', { ack: [] }, {}],
  ['an empty list as JSON', { ack: '[]' }, {}],
  ['one id', { ack: id }, { ack: [id] }],
  ['a list', { ack: [id, other, id] }, { ack: [id, other] }],
  ['a list as JSON', { ack: `["${id}", "${other}"]` }, { ack: [id, other] }],
  ['ids with commas', { ack: `${id.toUpperCase()}, ${other}` }, { ack: [id, other] }],
  ['a number as text', { limit: '5' }, { limit: 5 }],
  ['all', { limit: 'all' }, { limit: Number.MAX_SAFE_INTEGER }],
])('the inbox takes %s', (_, given, taken) => {
  const defined = Object.entries(inboxArguments.parse(given)).filter(([, value]) => value !== undefined)
  expect(Object.fromEntries(defined)).toEqual(taken)
})

test.each<[string, Record<string, unknown>, object]>([
  ['a list of names', { to: ['beta', 'gamma'] }, { to: ['beta', 'gamma'] }],
  ['a list as JSON', { to: '["beta","gamma"]' }, { to: ['beta', 'gamma'] }],
  ['names with commas', { to: '@Beta, gamma.' }, { to: ['beta', 'gamma'] }],
  ['a name as JSON', { to: '"beta"' }, { to: ['beta'] }],
  ['a name with a line break', { to: ' Beta\n' }, { to: ['beta'] }],
  ['a reply to nothing', { to: 'beta', reply_to: '' }, { to: ['beta'] }],
  ['a reply to null', { to: 'beta', reply_to: null, intent: null }, { to: ['beta'] }],
  ['a reply to a list of one', { to: 'beta', reply_to: [id] }, { to: ['beta'], reply_to: id }],
  ['a reply in upper case', { to: 'beta', reply_to: `"${id.toUpperCase()}"` }, { to: ['beta'], reply_to: id }],
  ['an intent in upper case', { to: 'beta', intent: 'Request' }, { to: ['beta'], intent: 'request' }],
  ['an intent of nothing', { to: 'beta', intent: '' }, { to: ['beta'] }],
  ['a number for the text', { to: 'beta', message: 42 }, { to: ['beta'], message: '42' }],
  ['a text that is JSON', { to: 'beta', message: '["true"]' }, { to: ['beta'], message: '["true"]' }],
])('a send takes %s', (_, given, taken) => {
  const parsed = sendArguments.parse({ message: 'hello', ...given })
  const defined = Object.entries(parsed).filter(([, value]) => value !== undefined)
  expect(Object.fromEntries(defined)).toEqual({ message: 'hello', ...taken })
})

test.each<[Record<string, unknown>, RegExp]>([
  [{ ack: 'yes please' }, /wanted: true, or ids of messages.*is no id/],
  [{ ack: { ids: [id] } }, /wanted: true, or ids of messages/],
  [{ ack: ['true', id] }, /"true" is no id/],
  [{ ack: 1 }, /wanted: true/],
  [{ limit: 0 }, /wanted: a whole number from 1 on; this is 0/],
  [{ limit: 'many' }, /wanted: a whole number/],
  [{ limit: 2.5 }, /wanted: a whole number/],
  [{ count: 3 }, /There is no argument "count"\. The arguments are: limit, ack/],
])('the inbox refuses %j in words', (given, words) => {
  expect(inboxArguments.safeParse(given).error?.issues[0]?.message).toMatch(words)
})

test.each<[Record<string, unknown>, RegExp]>([
  [{ to: undefined }, /wanted: a member, alias or group.*missing/],
  [{ to: '' }, /nothing is named/],
  [{ to: [] }, /nothing is named/],
  [{ to: { name: 'beta' } }, /wanted: a member/],
  [{ message: '  \n' }, /wanted: the text of the message; this is blank/],
  [{ message: null }, /this is null/],
  [{ message: ['a', 'b'] }, /wanted: the text/],
  [{ reply_to: 'the last one' }, /wanted: the id of one message/],
  [{ reply_to: [id, other] }, /these are 2/],
  [{ intent: 'high' }, /wanted: request, inform, urgent; this is "high"/],
  [{ priority: 'high' }, /There is no argument "priority"/],
])('a send refuses %j in words', (given, words) => {
  expect(sendArguments.safeParse({ to: 'beta', message: 'hello', ...given }).error?.issues[0]?.message).toMatch(words)
})

test('each argument has one type in the JSON schema, and those that can be left out are not required', () => {
  const schemas = [sendArguments, inboxArguments].map(schema => z.toJSONSchema(schema, { io: 'input' }))
  expect(JSON.stringify(schemas)).not.toMatch(/anyOf|oneOf|allOf/)
  const types = schemas.map(({ properties = {} }) =>
    Object.entries(properties).map(([name, property]) => [name, (property as { type: unknown }).type]),
  )
  expect(types).toEqual([
    [
      ['to', 'string'],
      ['message', 'string'],
      ['reply_to', 'string'],
      ['intent', 'string'],
    ],
    [
      ['limit', 'integer'],
      ['ack', 'string'],
    ],
  ])
  expect(schemas.map(({ required }) => required)).toEqual([['to', 'message'], undefined])
})
