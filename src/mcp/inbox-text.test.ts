import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  anyBody,
  hiddenIn,
  hostileBodies,
  isQuoted,
  linesOf,
  ordinaryTexts,
  reveal,
  unquote,
} from '../../test/support/hostile-text.ts'
import type { InboxMessage } from '../protocol/messages.ts'
import { visible } from '../text/visible.ts'
import { type InboxText, inboxText, notice, quote } from './inbox-text.ts'

const now = Date.parse('2026-11-22T15:00:00.000Z')

function message(n: number, body: string, more: Partial<InboxMessage> = {}): InboxMessage {
  return {
    id: `0199a0de-0000-7000-8000-${String(n).padStart(12, '0')}`,
    seq: n,
    from: 'chasclaude',
    fromKind: 'machine',
    to: ['seanclaude'],
    sentAt: '2026-11-22T14:55:00.000Z',
    intent: 'request',
    body,
    ...more,
  }
}

function textOf(messages: InboxMessage[], unread = messages.length): InboxText {
  return inboxText({ messages, unread, now, keepWhole: ({ id }) => `/home/sean/.claude-net/inbox/${id}.txt` })
}

describe('the inbox text', () => {
  test('marks messages that their sender has followed up, and states when a scheduled message was written', () => {
    const { text } = textOf([
      message(1, 'old', { newer: 2 }),
      message(2, 'newer', { newer: 1 }),
      message(3, 'later', { writtenAt: '2026-11-21T20:00:00.000Z' }),
      message(4, 'on its way', { writtenAt: '2026-11-22T14:54:30.000Z' }),
    ])
    const headings = text.split('\n').filter(line => line.startsWith('from '))
    expect(headings.map(line => line.split(' · ').slice(3).join(' · '))).toEqual([
      '2 newer messages from chasclaude follow',
      '1 newer message from chasclaude follows',
      'written 19 h ago for then',
      '',
    ])
  })

  test('is one short line if there are no messages', () => {
    expect(textOf([])).toEqual({ text: 'No unread messages.', shown: [] })
  })

  test('has the count and the notice, each message in a frame, and how to answer', () => {
    const first = message(1, 'The build is red.\n\nCan you look?')
    const second = message(2, 'Done.', {
      from: 'sean',
      fromKind: 'human',
      intent: 'inform',
      to: ['chasclaude', 'seanclaude'],
      replyTo: '0199a0de-0000-7000-8000-000000000009',
      fetchedBy: { session: 'abc-1', at: '2026-11-22T14:59:50.000Z' },
    })
    expect(textOf([first, second], 5).text).toBe(`\
5 unread messages. ${notice}

Message 0199a0de-0000-7000-8000-000000000001
from chasclaude (machine) · 5 min ago · request
> The build is red.
>
> Can you look?

Message 0199a0de-0000-7000-8000-000000000002
from sean (human) · 5 min ago · inform · to chasclaude, seanclaude · answers 0199a0de-0000-7000-8000-000000000009 · shown to session abc-1 just now
> Done.

To answer, call claude_net_send with reply_to set to the id; what you write in chat does not reach the sender.
3 more unread. Ack these (ack: true) and call claude_net_inbox again to see the next.`)
  })

  test('shows a message that is too long even if its whole text cannot be saved, and states where it can be read', () => {
    const keepWhole = () => {
      throw Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC' })
    }
    const long = message(1, 'x'.repeat(50_000))
    const { text, shown } = inboxText({ messages: [long], unread: 2, now, keepWhole })
    expect(shown).toEqual([long])
    expect(text).toContain('the whole text (50000 bytes) could not be saved on this machine (the disk is full).')
    expect(text).toContain('1 more unread.')
  })

  test('shows a message that is too long alone, cut, and names the file with its whole text', () => {
    const long = message(1, '€\u0007'.repeat(6000))
    const { text, shown, cut } = textOf([long, message(2, 'after')])
    expect([shown, cut]).toEqual([[long], long])
    expect(text).toContain(
      `the whole text (24000 bytes) is in /home/sean/.claude-net/inbox/${long.id}.txt. It begins:\n> €\\u{0007}`,
    )
    expect(text).toContain('\n1 more unread.')
    expect(Buffer.byteLength(text)).toBeLessThan(40_000)
  })

  test('never exceeds its limit in bytes, shows the oldest messages without a gap, and counts the rest exactly', () => {
    const lengths = fc.array(fc.integer({ min: 1, max: 32_000 }), { minLength: 1, maxLength: 40 })
    const units = fc.constantFrom('x', 'ä', '€', '😀', '\u0007', '\n', '\u202e')
    fc.assert(
      fc.property(lengths, units, fc.nat(1000), (sizes, unit, beyond) => {
        const messages = sizes.map((size, n) => message(n, unit.repeat(Math.ceil(size / Buffer.byteLength(unit)))))
        const { text, shown, cut } = textOf(messages, messages.length + beyond)
        expect(Buffer.byteLength(text)).toBeLessThan(40_000)
        expect(text.isWellFormed()).toBe(true)
        expect(shown.length).toBeGreaterThan(0)
        expect(shown).toEqual(messages.slice(0, shown.length))
        expect(text.match(/^Message /gm)).toHaveLength(shown.length)
        const more = Number(/^(\d+) more unread\./m.exec(text)?.[1] ?? 0)
        expect(more).toBe(messages.length + beyond - shown.length)
        if (!cut) for (const { body } of shown) expect(text).toContain(quote(body))
      }),
      { numRuns: 100 },
    )
  })
})

describe('a body cannot leave its frame', () => {
  test.for(Object.entries(hostileBodies))('%s', ([, body]) => {
    expectFramed([body, 'a harmless one', body])
  })

  test('with any characters in it', () => {
    fc.assert(
      fc.property(fc.array(anyBody, { minLength: 1, maxLength: 5 }), bodies => expectFramed(bodies)),
      { numRuns: 1000 },
    )
  })

  test('even where it is cut', () => {
    fc.assert(
      fc.property(anyBody, body => {
        const { text, cut } = textOf([message(1, body.repeat(Math.ceil(45_000 / body.length)))])
        expect(cut).toBeDefined()
        expect(linesOf(text).filter(line => !isQuoted(line))).toHaveLength(7)
        expect(hiddenIn(text)).toEqual([])
      }),
      { numRuns: 50 },
    )
  })
})

describe('a quoted text', () => {
  test('has the prefix on every line and no hidden character, and unquoting restores the text', () => {
    fc.assert(
      fc.property(anyBody, body => {
        const quoted = quote(body)
        expect(linesOf(quoted).filter(line => !isQuoted(line))).toEqual([])
        expect(hiddenIn(quoted)).toEqual([])
        expect(unquote(quoted)).toBe(visible(body))
        expect(reveal(unquote(quoted))).toBe(reveal(body.replace(/\r\n?/g, '\n')))
      }),
      { numRuns: 3000 },
    )
  })

  test.for(Object.entries(ordinaryTexts))('%s stays readable', ([, text]) => {
    expect(unquote(quote(text))).toBe(text)
  })
})

/** Expects the text to have the same unquoted lines as with harmless bodies, and no hidden characters. */
function expectFramed(bodies: string[]): void {
  const frameOf = (texts: string[]) => {
    const { text } = textOf(texts.map((body, n) => message(n, body)))
    return { text, frame: linesOf(text).filter(line => !isQuoted(line)) }
  }
  const { text, frame } = frameOf(bodies)
  expect(frame).toEqual(frameOf(bodies.map(() => 'harmless')).frame)
  expect(hiddenIn(text)).toEqual([])
}
