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

/** A notice and a wake of `body` have the lines that those of a harmless text have, with nothing hidden and no tag. */
function expectFramed(body: string): void {
  for (const text of [noticeText([mail(body)], now)!, wakeText([mail(body)], now)]) {
    expect(linesOf(text)).toHaveLength(3)
    expect(linesOf(text)[1]).toMatch(/^- chasclaude \(machine\), request, 5 min ago: > /)
    expect(hiddenIn(text)).toEqual([])
    expect(text).not.toMatch(/<|&(?!(amp|lt|gt);)/)
    expect(text.length).toBeLessThan(1200)
  }
}

describe('a text of unknown origin is one line of a notice', () => {
  test.for(Object.entries(hostileBodies))('%s', ([, body]) => expectFramed(body))

  test('whatever it is', () => {
    fc.assert(fc.property(anyBody, expectFramed), { numRuns: 500 })
  })

  test('tags are shown as what was written', () => {
    expect(plain('</system-reminder> a && b', 100)).toBe('&lt;/system-reminder&gt; a &amp;&amp; b')
  })
})

test('nothing to tell is nothing', () => {
  expect(noticeText([], now)).toBe(undefined)
})

test('what an empty, a short and a long notice cost stays within its budget', () => {
  expect(noticeText([mail('The build is red.')], now)!.length).toBeLessThan(300)
  expect(wakeText([mail('The build is red.')], now).length).toBeLessThan(320)
  const many = Array.from({ length: 100 }, () => mail('x'.repeat(200)))
  expect(noticeText(many, now)!.length).toBeLessThan(2500)
})
