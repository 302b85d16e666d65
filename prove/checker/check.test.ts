import { expect, test } from 'vitest'
import { type CheckOptions, check, type InboxDump, type Kind } from './check.ts'
import type { Act, Line, Results, Seen, Told } from './history.ts'

/** A history and its final inboxes, for a test to corrupt. */
class TestHistory {
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

  send(id: string, seq: number | 'fail' | 'unknown', to = ['ada'], from = 'carl', project?: string): void {
    const act: Act = { kind: 'send', id, from, to, body: `text of ${id}`, ...(project && { project }) }
    this.end(this.begin(act), typeof seq === 'number' ? { seq } : seq)
  }

  read(messages: Seen[], complete = true, inbox = 'ada'): void {
    this.end(this.begin({ kind: 'read', inbox }), { messages, complete })
  }

  ack(ids: string[], result: Results['ack'] | 'unknown' = { acked: ids, unknown: [] }, inbox = 'ada'): void {
    this.end(this.begin({ kind: 'ack', inbox, ids }), result)
  }

  /** Appends a message to ada's inbox; the caller must pass ascending seqs. */
  store(id: string, seq: number, acked = false): void {
    this.ada.rows.push({ ...seen(id, seq), acked })
    if (!acked) this.ada.unread.push(id)
  }

  fetched(ids: string[], session = 'reader', inbox = 'ada'): void {
    this.end(this.begin({ kind: 'fetched', inbox, ids, session }), { fetched: ids, unknown: [] })
  }

  receipt(id: string, status: Results['receipts']['receipts'][number]['status'], session?: string): void {
    const receipts = [{ recipient: 'ada', status, ...(session !== undefined && { session }) }]
    this.end(this.begin({ kind: 'receipts', of: 'carl', id }), { receipts })
  }

  /** Opens a stream of ada's inbox with these events. */
  stream(told: Told[], after?: number): void {
    const op = this.begin({ kind: 'follow', inbox: 'ada', ...(after !== undefined && { after }) })
    for (const each of told) this.lines.push({ op, type: 'event', told: each })
  }

  /** Starts a session of ada's. Returns functions that notify it of messages at a time, release it, and end it. */
  session(name: string, project?: string) {
    const op = this.begin({ kind: 'session', inbox: 'ada', session: name, ...(project && { project }) })
    const tell = (told: Told) => void this.lines.push({ op, type: 'event', told })
    return {
      notify: (ids: string[], by: 'hook' | 'wake' | 'read' = 'hook', at = 0) => {
        for (const id of ids) tell({ kind: 'notified', id, by, at })
      },
      release: () => tell({ kind: 'released' }),
      end: () => this.end(op, 'unknown'),
    }
  }

  kinds(options?: CheckOptions): Kind[] {
    return [...new Set(check(this.lines, [this.ada, this.bob], options).map(({ kind }) => kind))]
  }
}

function seen(id: string, seq: number, from = 'carl'): Seen {
  return { id, seq, from, body: `text of ${id}` }
}

function told(id: string, seq: number, from = 'carl'): Told {
  return { kind: 'inbox', id, seq, from }
}

/** Returns a correct history: carl sends a, b and c to ada, who reads a and b and acks a. */
function correctHistory(): TestHistory {
  const story = new TestHistory()
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

test('a correct history passes', () => {
  expect(check(correctHistory().lines, [correctHistory().ada, correctHistory().bob])).toEqual([])
})

test('an operation with an unknown result may have taken effect or not; neither is a violation', () => {
  const story = correctHistory()
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

test('concurrent operations may be seen in either order', () => {
  const story = new TestHistory()
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

const ofLane = { kind: 'send' as const, from: 'carl', to: ['ada'], body: 'text', lane: 'carl' }

/** Histories that no correct hub produces, by kind and description; each function turns the correct history into one of them. */
const planted: Record<Kind, Record<string, (story: TestHistory) => void>> = {
  lost: {
    'an acknowledged message is in no inbox': ({ ada }) => {
      ada.rows.pop()
      ada.unread.pop()
    },
    'one of two recipients did not receive the message': story => {
      story.send('d', 8, ['ada', 'bob'])
      story.store('d', 8)
    },
    'a message that its client kept is in no inbox': story => {
      story.lines.push({ op: story.begin({ ...ofLane, id: 'd' }), type: 'kept' })
    },
    'an unread message is not shown at the end': ({ ada }) => ada.unread.pop(),
    'a read omits a message that was acknowledged before it began': story => story.read([seen('c', 7)]),
    'a page omits a message in its middle': story => story.read([seen('c', 7)], false),
    'a message is marked as read though nobody acked it': ({ ada }) => {
      ada.rows[1]!.acked = true
      ada.unread.shift()
    },
  },
  twice: {
    'a message has two rows': ({ ada }) => ada.rows.push({ ...seen('a', 9), acked: true }),
    'the last read shows a message twice': ({ ada }) => ada.unread.push('c'),
    'one answer holds a message twice': story => story.read([seen('b', 3), seen('c', 7), seen('c', 7)]),
    'a message that was shown is stored again when its send is retried': story => {
      story.send('d', 'unknown')
      story.read([seen('b', 3), seen('c', 7), seen('d', 8)])
      story.send('d', 9)
      story.store('d', 9)
    },
    'a message that was in a stream is stored again when its send is retried': story => {
      story.send('d', 'unknown')
      story.stream([told('d', 8)], 7)
      story.send('d', 9)
      story.store('d', 9)
    },
    'a retried send is stored again': story => story.send('c', 8),
  },
  phantom: {
    'an inbox has a message that nobody sent': story => story.store('nobody', 8),
    'a read shows a message that nobody sent': story => story.read([seen('b', 3), seen('c', 7), seen('nobody', 8)]),
    'the last read shows a message that is not stored': ({ ada }) => ada.unread.push('nobody'),
    'an inbox has a message that was not sent to it': ({ bob }) => bob.rows.push({ ...seen('c', 7), acked: true }),
    'a stream has a message that nobody sent': story => story.stream([told('nobody', 8)]),
    'a refused message is in an inbox': story => {
      story.send('refused', 'fail')
      story.store('refused', 8)
    },
    'a session is notified of a message for another project': story => {
      story.send('d', 8, ['ada'], 'carl', 'red')
      story.store('d', 8)
      story.session('one', 'blue').notify(['b', 'c', 'd'])
    },
  },
  forged: {
    'a stored message carries the name of another sender': ({ ada }) => {
      ada.rows[2]!.from = 'bob'
    },
    'a read shows the name of another sender': story => story.read([seen('b', 3), seen('c', 7, 'bob')]),
    'a stream has the name of another sender': story => story.stream([told('b', 3), told('c', 7, 'bob')]),
  },
  reordered: {
    'a later send has a lower seq': story => {
      story.send('d', 6)
      story.store('d', 6)
    },
    'a message that was kept later is stored first': story => {
      story.lines.push({ op: story.begin({ ...ofLane, id: 'd' }), type: 'kept' })
      story.lines.push({ op: story.begin({ ...ofLane, id: 'e' }), type: 'kept' })
      story.store('e', 8)
      story.store('d', 9)
    },
    'the seqs of rows do not rise': ({ ada }) => ada.rows.reverse(),
    'the seqs of a read do not rise': story => story.read([seen('c', 7), seen('b', 3)]),
    'the last read shows another order': ({ ada }) => ada.unread.reverse(),
    'a seq differs from the one that was acknowledged': ({ ada }) => {
      ada.rows[2]!.seq = 8
    },
    'a new message appears before one that was already shown': story => {
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
    'the hub does not know a message that it has shown': story => story.ack(['b'], { acked: [], unknown: ['b'] }),
  },
  receipt: {
    'acked, though nobody acked it': story => story.receipt('c', 'acked'),
    'stored, though the ack was acknowledged': story => story.receipt('a', 'stored'),
    'fetched, though the ack was acknowledged': story => story.receipt('a', 'fetched'),
    'fetched, though nobody fetched it': story => story.receipt('c', 'fetched'),
    'fetched by a session that did not fetch it': story => {
      story.fetched(['c'])
      story.receipt('c', 'fetched', 'another')
    },
    'stored, though the fetch was acknowledged': story => {
      story.fetched(['c'])
      story.receipt('c', 'stored')
    },
    'expired, though it has no expiry': story => story.receipt('c', 'expired'),
    'a recipient is missing': story =>
      story.end(story.begin({ kind: 'receipts', of: 'carl', id: 'c' }), { receipts: [] }),
    'a member is named to whom it was not sent': story =>
      story.end(story.begin({ kind: 'receipts', of: 'carl', id: 'c' }), {
        receipts: ['ada', 'bob'].map(recipient => ({ recipient, status: 'stored' as const })),
      }),
    'a stream has an ack that nobody made': story =>
      story.stream([{ kind: 'receipt', id: 'c', seq: 9, recipient: 'ada', status: 'acked' }]),
  },
  'told twice': {
    'a stream repeats a delivery': story => story.stream([told('b', 3), told('c', 7), told('c', 7)]),
    'a stream goes back': story => story.stream([told('c', 7), told('b', 3)]),
    'a stream that resumes has a delivery from before its cursor': story => story.stream([told('b', 3)], 3),
    'two hooks announce a message to a session': story => {
      const one = story.session('one')
      for (const _ of [1, 2]) one.notify(['b', 'c'])
    },
    'a session is notified in the turn of another': story => {
      story.session('one').notify(['b', 'c'])
      story.session('two').notify(['b'], 'wake', 1000)
    },
  },
  untold: {
    'a stream skips an unread delivery': story => story.stream([told('c', 7)]),
    'a stream that resumes skips the first delivery after its cursor': story => {
      story.send('d', 8)
      story.store('d', 8)
      story.stream([told('d', 8)], 3)
    },
    'the only session was not notified of a message': story => story.session('one').notify(['b']),
    'a session that dropped a wake was not notified again': story => {
      const one = story.session('one')
      one.notify(['b'])
      one.release()
    },
    'the session of its project was not notified of a message': story => {
      story.send('d', 8, ['ada'], 'carl', 'red')
      story.store('d', 8)
      story.session('one', 'red').notify(['b', 'c'])
    },
    'the session that was notified has ended': story => {
      const one = story.session('one')
      one.notify(['b', 'c'])
      one.end()
      story.session('two').notify(['b'])
    },
  },
  count: {
    'a wrong count at the end': ({ ada }) => {
      ada.count = 3
    },
    'a wrong count in a read': story =>
      story.end(story.begin({ kind: 'read', inbox: 'ada' }), {
        messages: [seen('b', 3), seen('c', 7)],
        complete: true,
        unread: 3,
      }),
  },
  'not linearizable': {
    'a message reappears after a read without it': story => {
      const ack = story.begin({ kind: 'ack', inbox: 'ada', ids: ['b'] })
      story.read([seen('c', 7)])
      story.read([seen('b', 3), seen('c', 7)])
      story.end(ack, { acked: ['b'], unknown: [] })
      story.ada.rows[1]!.acked = true
      story.ada.unread.shift()
    },
    'one of two messages that are acked together is shown alone': story => {
      const ack = story.begin({ kind: 'ack', inbox: 'ada', ids: ['b', 'c'] })
      story.read([seen('c', 7)])
      story.end(ack, { acked: ['b', 'c'], unknown: [] })
      for (const row of story.ada.rows) row.acked = true
      story.ada.unread.length = 0
    },
    'a message of an unanswered send is shown, gone and unread again': story => {
      story.send('d', 'unknown')
      story.read([seen('b', 3), seen('c', 7), seen('d', 8)])
      story.read([seen('b', 3), seen('c', 7)])
      story.store('d', 8)
    },
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
  const story = correctHistory()
  spoil(story)
  expect(story.kinds()).toContain(kind)
})

test('receipts and streams of a correct hub pass', () => {
  const story = correctHistory()
  story.fetched(['b'], 'one')
  story.receipt('a', 'acked')
  story.receipt('b', 'fetched', 'one')
  story.receipt('c', 'stored')
  story.stream([told('b', 3), told('c', 7)])
  story.stream([told('c', 7)], 3)
  story.stream([{ kind: 'receipt', id: 'a', seq: 5, recipient: 'ada', status: 'acked' }], 3)
  expect(check(story.lines, [story.ada, story.bob])).toEqual([])
})

test('a hub that has not reached a message has no receipts of it; one that has must not leave them out', () => {
  const kindsAt = (at: number, mayLag: boolean) => {
    const story = correctHistory()
    story.end(story.begin({ kind: 'receipts', of: 'carl', id: 'c', atLeast: 3 }), { receipts: [], at })
    return story.kinds({ mayLag })
  }
  // The seq of c is 7.
  expect(kindsAt(6, true)).toEqual([])
  expect(kindsAt(7, true)).toEqual(['receipt'])
  expect(kindsAt(6, false)).toEqual(['receipt'])
})

test('sessions that were notified of what they read pass, once each or after the turn of another', () => {
  const story = correctHistory()
  story.send('d', 8, ['ada'], 'carl', 'red')
  story.store('d', 8)
  const [blue, green] = [story.session('one', 'blue'), story.session('two', 'green')]
  blue.notify(['b', 'c'])
  green.notify(['b'], 'hook', 50_000)
  blue.release()
  green.notify(['c'], 'wake', 1000)
  expect(check(story.lines, [story.ada, story.bob])).toEqual([])
})

test('a message that another session has read and left is announced again', () => {
  const story = correctHistory()
  const [one, two] = [story.session('one'), story.session('two')]
  one.notify(['b', 'c'])
  two.notify(['b'], 'read')
  two.end()
  one.notify(['b'], 'hook', 60_000)
  expect(check(story.lines, [story.ada, story.bob])).toEqual([])
  one.notify(['b'], 'hook', 61_000)
  expect(story.kinds()).toEqual(['told twice'])
})

test('an answer acks the message that it answers, and a message with an expiry may leave the inbox unread', () => {
  const story = correctHistory()
  const answer = { kind: 'send', id: 'd', from: 'ada', to: ['carl'], body: 'yes', replyTo: 'b' } as const
  story.end(story.begin({ ...answer, to: [...answer.to] }), { seq: 8 })
  story.ada.rows[1]!.acked = true
  story.ada.unread.shift()
  story.end(story.begin({ kind: 'send', id: 'e', from: 'carl', to: ['ada'], body: 'text of e', mayExpire: true }), {
    seq: 9,
  })
  story.read([seen('c', 7), seen('e', 9)])
  story.read([seen('c', 7)])
  story.receipt('e', 'expired')
  expect(check(story.lines, [story.ada, story.bob])).toEqual([])
})

test('of several unanswered acks any subset may have taken effect', () => {
  const story = new TestHistory()
  for (const [index, id] of ['a', 'b', 'c', 'd'].entries()) {
    story.send(id, index + 1)
    story.store(id, index + 1, id === 'b' || id === 'd')
  }
  for (const ids of [['a'], ['b'], ['c'], ['d']]) story.ack(ids, 'unknown')
  story.read([seen('a', 1), seen('c', 3), seen('d', 4)])
  story.read([seen('a', 1), seen('c', 3)])
  expect(check(story.lines, [story.ada])).toEqual([])
})

test('a hub that is behind may answer a read, but not with less than the read requires', () => {
  const story = new TestHistory()
  story.send('a', 1)
  story.store('a', 1)
  const read = (atLeast: number, messages: Seen[]) =>
    story.end(story.begin({ kind: 'read', inbox: 'ada', atLeast }), { messages, complete: true })
  read(0, [])
  expect(story.kinds({ mayLag: true })).toEqual([])
  expect(story.kinds()).toContain('lost')
  read(1, [seen('a', 1)])
  expect(story.kinds({ mayLag: true })).toEqual([])
  read(1, [])
  expect(story.kinds({ mayLag: true })).toEqual(['lost', 'not linearizable'])
})

test('an inbox of thousands of operations is decided', () => {
  const story = new TestHistory()
  for (let n = 1; n <= 3000; n++) {
    story.send(`m${n}`, n)
    story.read([seen(`m${n}`, n)])
    story.ack([`m${n}`])
    story.store(`m${n}`, n, true)
  }
  expect(check(story.lines, [story.ada])).toEqual([])
})
