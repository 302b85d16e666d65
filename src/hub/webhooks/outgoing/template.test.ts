import fc from 'fast-check'
import { expect, test } from 'vitest'
import { checkTemplate, fill, type Values } from './template.ts'

const values = (line: string): Values => ({
  ...{ event: 'message', id: 'x', from: 'jaz', to: 'ana', intent: 'urgent', at: '2026', bytes: '1' },
  ...{ line, text: line },
})

test('an accepted template makes valid JSON that contains each value exactly', () => {
  const template = '{"text": "a {{line}} b", "attachments": [{"from": "{{ from }}"}]}'
  checkTemplate(template, { withText: false })
  fc.assert(
    fc.property(fc.array(fc.nat(0xffff)), units => {
      const line = String.fromCharCode(...units)
      const made = JSON.parse(fill(template, values(line)))
      expect(made).toEqual({ text: `a ${line} b`, attachments: [{ from: 'jaz' }] })
    }),
    { numRuns: 50 },
  )
})

test('a value cannot end its string, fill another placeholder or mention a channel in Slack', () => {
  const hostile = '", "admin": true, "x": "{{text}} <!channel> & $& $1'
  expect(JSON.parse(fill('{"text": "{{line}}"}', values(hostile)))).toEqual({ text: hostile })
  expect(JSON.parse(fill('{"text": "{{slack:line}}"}', values('<!channel> & <https://x|y>')))).toEqual({
    text: '&lt;!channel&gt; &amp; &lt;https://x|y&gt;',
  })
})

test.each([
  ['{"text": {{line}}}', /not JSON/],
  ['{"text": "{{line}}"', /not JSON/],
  ['hello {{line}}', /not JSON/],
  ['{"text": "{{body}}"}', /\{\{body\}\}, which is unknown/],
  ['{"text": "{{__proto__}}"}', /unknown/],
  ['{"text": "{{text}}"}', /posts no texts/],
])('the template %s is refused', (template, why) => {
  expect(() => checkTemplate(template, { withText: false })).toThrow(why)
})
