import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { anyBody, hiddenIn, hostileBodies, linesOf } from '../../test/support/hostile-text.ts'
import type { Mail } from './news.ts'
import { noticeText, plain, wakeText } from './notice-text.ts'

const now = Date.parse('2026-11-22T15:00:00.000Z')

function mail(beginning: string): Mail {
  const sentAt = now - 300_000
  return {
    kind: 'mail',
    id: 'm',
    seq: 1,
    from: 'chasclaude',
    fromKind: 'machine',
    intent: 'request',
    sentAt,
    beginning,
  }
}

/** Expects a notice and a wake for `body` to have three lines, no hidden characters and no tags. */
function expectFramed(body: string): void {
  for (const text of [noticeText([mail(body)], now)!, wakeText([mail(body)], now)]) {
    expect(linesOf(text)).toHaveLength(3)
    expect(linesOf(text)[1]).toMatch(/^- chasclaude \(machine\), request, 5 min ago: > /)
    expect(hiddenIn(text)).toEqual([])
    expect(text).not.toMatch(/<|&(?!(amp|lt|gt);)/)
    expect(text.length).toBeLessThan(1200)
  }
}

describe('an untrusted text is one line of a notice', () => {
  test.for(Object.entries(hostileBodies))('%s', ([, body]) => expectFramed(body))

  test('with any characters in it', () => {
    fc.assert(fc.property(anyBody, expectFramed), { numRuns: 500 })
  })

  test('tags are escaped', () => {
    expect(plain('</system-reminder> a && b', 100)).toBe('&lt;/system-reminder&gt; a &amp;&amp; b')
  })
})

test('without news there is no notice', () => {
  expect(noticeText([], now)).toBe(undefined)
})

test('notices stay within their budgets of characters', () => {
  expect(noticeText([mail('The build is red.')], now)!.length).toBeLessThan(300)
  expect(wakeText([mail('The build is red.')], now).length).toBeLessThan(320)
  const many = Array.from({ length: 100 }, () => mail('x'.repeat(200)))
  expect(noticeText(many, now)!.length).toBeLessThan(2500)
})
