import { expect, test } from 'vitest'
import * as z from 'zod'
import { Intent } from '../protocol/messages.ts'
import { readInboxArguments, readSendArguments } from './arguments.ts'
import { toolList } from './tool-list.ts'

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
  const defined = Object.entries(readInboxArguments(given)).filter(([, value]) => value !== undefined)
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
  const parsed = readSendArguments({ message: 'hello', ...given })
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
  expect(() => readInboxArguments(given)).toThrow(words)
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
  expect(() => readSendArguments({ to: 'beta', message: 'hello', ...given })).toThrow(words)
})

test('one error names every invalid argument', () => {
  expect(() => readSendArguments({ message: '', reply_to: 'x', cc: 'gamma' })).toThrow(
    /^to: wanted: .*missing, message: wanted: .*blank, reply_to: wanted: .*is no id, There is no argument "cc"\./,
  )
})

test('a key of the prototype is no argument', () => {
  expect(() => readInboxArguments(JSON.parse('{"__proto__": {"ack": true}}') as object)).toThrow(
    'There is no argument "__proto__"',
  )
  expect(readInboxArguments(Object.create({ ack: true }) as object)).toEqual({})
})

test('the JSON schemas equal those that zod generates for the same arguments', () => {
  const text = z.string()
  const made: Record<string, z.ZodObject> = {
    claude_net_send: z.strictObject({
      to: text.describe('A member, alias or group, or member/project; several separated by commas; or "all"'),
      message: text.describe('The text'),
      reply_to: text.describe('Id of the message this answers; acks it').optional(),
      intent: Intent.describe(
        'request: wants an answer (default to one). inform: wants none (default of a reply, and to all). urgent: should be seen now',
      ).optional(),
      at: text.describe('Deliver it then: in 10m, tomorrow 9:00 (your zone) or RFC 3339').optional(),
      expires: text.describe('Unread by then it expires, and you are told; as at').optional(),
      within: text.describe('Ask several: wake me when all answered, or after this; default 10m').optional(),
    }),
    claude_net_inbox: z.strictObject({
      limit: z.number().meta({ type: 'integer', minimum: 1 }).describe('Show at most this many; default 20').optional(),
      ack: text
        .describe('"true": mark what this answer shows as read. Ids, separated by commas: mark those, show nothing')
        .optional(),
    }),
  }
  for (const { name, inputSchema } of toolList.filter(tool => made[tool.name]))
    expect(inputSchema).toEqual(z.toJSONSchema(made[name]!, { io: 'input' }))
  expect(toolList.map(({ name }) => name)).toEqual([...Object.keys(made), 'claude_net_machines'])
})

test('each argument has one type in the JSON schema', () => {
  const properties = toolList.flatMap(({ inputSchema }) => Object.values(inputSchema.properties))
  expect(properties.map(({ type }) => typeof type)).toEqual(properties.map(() => 'string'))
  expect(JSON.stringify(toolList)).not.toMatch(/anyOf|oneOf|allOf/)
})
