import { expect, test } from 'vitest'
import { check, type InboxDump, type Kind } from './support/checker.ts'
import type { Act, Line, Results, Seen } from './support/history.ts'

/** What clients did, and the inboxes that they left, for a test to spoil. */
class Story {
  readonly lines: Line[] = []
  readonly ada: InboxDump = { inbox: 'ada', rows: [], unread: [] }
  readonly bob: InboxDump = { inbox: 'bob', rows: [], unread: [] }

  begin(act: Act): number {
    const op = this.lines.length + 1
    this.lines.push({ op, type: 'invoke', act })
    return op
  }

  end(op: number, result: Results[keyof Results] | 'fail' | 'unknown'): void {
    this.lines.push(
      typeof result === 'string' ? { op, type: result, why: 'as the test says' } : { op, type: 'ok', result },
    )
  }

  send(id: string, seq: number | 'fail' | 'unknown', to = ['ada'], from = 'carl'): void {
    this.end(this.begin({ kind: 'send', id, from, to, body: `text of ${id}` }), typeof seq === 'number' ? { seq } : seq)
  }

  read(messages: Seen[], complete = true, inbox = 'ada'): void {
    this.end(this.begin({ kind: 'read', inbox }), { messages, complete })
  }

  ack(ids: string[], result: Results['ack'] | 'unknown' = { acked: ids, unknown: [] }, inbox = 'ada'): void {
    this.end(this.begin({ kind: 'ack', inbox, ids }), result)
  }

  /** Puts a message into ada's store, where it belongs by its seq in every honest story. */
  store(id: string, seq: number, acked = false): void {
    this.ada.rows.push({ ...seen(id, seq), acked })
    if (!acked) this.ada.unread.push(id)
  }

  get kinds(): Set<Kind> {
    return new Set(check(this.lines, [this.ada, this.bob]).map(({ kind }) => kind))
  }
}

function seen(id: string, seq: number, from = 'carl'): Seen {
  return { id, seq, from, body: `text of ${id}` }
}

/** carl sends a, b and c to ada, who reads a and b and acks a. */
function honest(): Story {
  const story = new Story()
  story.send('a', 1)
  story.send('b', 3)
  story.read([seen('a', 1), seen('b', 3)])
  story.ack(['a'])
  story.send('c', 7)
  story.store('a', 1, true)
  story.store('b', 3)
  story.store('c', 7)
  return story
}

test('an honest history passes', () => {
  expect(check(honest().lines, [honest().ada, honest().bob])).toEqual([])
})

test('what is unknown may have happened or not: neither is held against the hub', () => {
  const story = honest()
  story.send('stored, unanswered', 'unknown')
  story.store('stored, unanswered', 8)
  story.send('never stored', 'unknown')
  story.send('repeated until answered', 'unknown')
  story.send('repeated until answered', 'unknown')
  story.send('repeated until answered', 9)
  story.send('repeated until answered', 9)
  story.store('repeated until answered', 9)
  story.send('refused', 'fail')
  story.ack(['b'], 'unknown')
  story.begin({ kind: 'ack', inbox: 'ada', ids: ['c'] })
  story.begin({ kind: 'read', inbox: 'ada' })
  story.ada.rows[1]!.acked = true
  story.ada.unread.splice(0, 1)
  expect(check(story.lines, [story.ada, story.bob])).toEqual([])
})

test('what happens at the same time may be seen in either order', () => {
  const story = new Story()
  const [first, second] = ['a', 'b'].map(id =>
    story.begin({ kind: 'send', id, from: 'carl', to: ['ada'], body: `text of ${id}` }),
  )
  const reading = story.begin({ kind: 'read', inbox: 'ada' })
  story.end(second!, { seq: 1 })
  story.end(first!, { seq: 2 })
  story.end(reading, { messages: [seen('b', 1)], complete: true })
  story.store('b', 1)
  story.store('a', 2)
  expect(check(story.lines, [story.ada])).toEqual([])
})

/** Histories that no honest hub leaves behind: what each shows, and how it is made of the honest one. */
const planted: Record<Kind, Record<string, (story: Story) => void>> = {
  lost: {
    'an acknowledged message is in no inbox': ({ ada }) => {
      ada.rows.pop()
      ada.unread.pop()
    },
    'one recipient of two got nothing': story => {
      story.send('d', 8, ['ada', 'bob'])
      story.store('d', 8)
    },
    'an unread message is not shown at the end': ({ ada }) => ada.unread.pop(),
    'a read leaves out what was acknowledged before it began': story => story.read([seen('c', 7)]),
    'a page leaves out a message in its midst': story => story.read([seen('c', 7)], false),
    'a message is read though nobody acked it': ({ ada }) => {
      ada.rows[1]!.acked = true
      ada.unread.shift()
    },
  },
  duplicate: {
    'a message has two rows': ({ ada }) => ada.rows.push({ ...seen('a', 9), acked: true }),
    'the last read shows a message twice': ({ ada }) => ada.unread.push('c'),
    'one answer holds a message twice': story => story.read([seen('b', 3), seen('c', 7), seen('c', 7)]),
    'a repeated send is stored anew': story => story.send('c', 8),
  },
  phantom: {
    'a message is in an inbox that nobody sent': story => story.store('nobody', 8),
    'a read shows what nobody sent': story => story.read([seen('b', 3), seen('c', 7), seen('nobody', 8)]),
    'the last read shows what is not stored': ({ ada }) => ada.unread.push('nobody'),
    'a message is in an inbox that it was not sent to': ({ bob }) => bob.rows.push({ ...seen('c', 7), acked: true }),
    'a message carries the name of another sender': ({ ada }) => {
      ada.rows[2]!.from = 'bob'
    },
    'a refused message is in an inbox': story => {
      story.send('refused', 'fail')
      story.store('refused', 8)
    },
  },
  reordered: {
    'a later send has a lower seq': story => {
      story.send('d', 6)
      story.store('d', 6)
    },
    'rows do not rise': ({ ada }) => ada.rows.reverse(),
    'an answer does not rise': story => story.read([seen('c', 7), seen('b', 3)]),
    'the last read shows another order': ({ ada }) => ada.unread.reverse(),
    'a seq is not the one that was answered': ({ ada }) => {
      ada.rows[2]!.seq = 8
    },
    'a message appears behind one that was shown before': story => {
      story.read([seen('b', 3), seen('c', 7)])
      story.send('late', 'unknown')
      story.read([seen('b', 3), seen('late', 5), seen('c', 7)])
    },
  },
  'lost ack': {
    'an acked message is unread again': ({ ada }) => {
      ada.rows[0]!.acked = false
      ada.unread.unshift('a')
    },
    'a read shows what was acked before it began': story => story.read([seen('a', 1), seen('b', 3), seen('c', 7)]),
    'an acked message is shown at the end': ({ ada }) => ada.unread.unshift('a'),
    'the hub does not know what it has shown': story => story.ack(['b'], { acked: [], unknown: ['b'] }),
  },
  changed: {
    'a stored text differs': ({ ada }) => {
      ada.rows[2]!.body += ' and more'
    },
    'a shown text differs': story => story.read([seen('b', 3), { ...seen('c', 7), body: '' }]),
  },
}
const cases = Object.entries(planted).flatMap(([kind, stories]) =>
  Object.entries(stories).map(([what, spoil]) => [kind as Kind, what, spoil] as const),
)

test.each(cases)('%s is found: %s', (kind, _what, spoil) => {
  const story = honest()
  spoil(story)
  expect(story.kinds).toContain(kind)
})
