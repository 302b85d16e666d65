import { expect, test } from 'vitest'
import { parseEntities } from '../../../test/support/bot-entities.ts'
import { formatted } from './code.ts'

test('code between fences is code, without its fences; all else is as it was written', () => {
  const text = 'Look:\n```ts\nif (a < b) <b>x</b>\n\n  & y\n```\nand\n~~~\nz\n~~~\nend `inline`'
  expect(formatted(text).source).toBe(
    'Look:\n<pre><code class="language-ts">if (a &lt; b) &lt;b&gt;x&lt;/b&gt;\n\n  &amp; y</code></pre>\nand\n<pre>z</pre>\nend `inline`',
  )
})

test.for(['```\nno end', 'a ``` b ``` c', '``` not ` a fence\nx\n```', '```\n\n', 'plain'])('%j has no code', text => {
  expect(formatted(text).plain).toBe(text)
})

test('a text that is cut anywhere has its code in every part, and only what Telegram takes', () => {
  const text = 'before\n```py\nprint("<&>")\nmore\n```\nbetween\n```"><b>\nevil\n```\n````\n```\nnested\n````\nafter'
  const whole = parseEntities(formatted(text).source).text
  expect(whole).toContain('print("<&>")\nmore')
  for (let at = 0; at <= text.length; at++) {
    const parts = [formatted(text, 0, at), formatted(text, at, text.length)]
    const shown = parts.map(({ source }) => parseEntities(source).text).join('')
    expect(shown.replace(/\s/g, '')).toBe(whole.replace(/\s/g, ''))
  }
})
