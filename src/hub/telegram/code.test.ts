import { expect, test } from 'vitest'
import { parseEntities } from '../../../test/support/bot-entities.ts'
import { formatted } from './code.ts'

test('text between fences becomes code without the fences; all other text is unchanged', () => {
  const text = 'Look:\n```ts\nif (a < b) <b>x</b>\n\n  & y\n```\nand\n~~~\nz\n~~~\nend `inline`'
  expect(formatted(text).source).toBe(
    'Look:\n<pre><code class="language-ts">if (a &lt; b) &lt;b&gt;x&lt;/b&gt;\n\n  &amp; y</code></pre>\nand\n<pre>z</pre>\nend `inline`',
  )
})

test.for(['```\nno end', 'a ``` b ``` c', '``` not ` a fence\nx\n```', '```\n\n', 'plain'])('%j has no code', text => {
  expect(formatted(text).plain).toBe(text)
})

test('wherever a text is cut, the code in both parts stays code, and both are valid for Telegram', () => {
  const text = 'before\n```py\nprint("<&>")\nmore\n```\nbetween\n```"><b>\nevil\n```\n````\n```\nnested\n````\nafter'
  const whole = parseEntities(formatted(text).source).text
  expect(whole).toContain('print("<&>")\nmore')
  for (let at = 0; at <= text.length; at++) {
    const parts = [formatted(text, 0, at), formatted(text, at, text.length)]
    const shown = parts.map(({ source }) => parseEntities(source).text).join('')
    expect(shown.replace(/\s/g, '')).toBe(whole.replace(/\s/g, ''))
  }
})
