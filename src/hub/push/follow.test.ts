import fc from 'fast-check'
import { describe, expect, onTestFinished, test } from 'vitest'
import { TestState } from '../../../test/support/test-state.ts'
import { type Cursor, parseCursor } from '../../protocol/events.ts'
import { newMessageId } from '../../protocol/ids.ts'
import type { Command, Effects } from '../state/commands.ts'
import { effectsOf } from '../state/state.ts'
import { type Followed, follow, type InboxNews } from './follow.ts'
import { newsOf } from './news-of.ts'
import { Wakes } from './wakes.ts'

/** Wakes as a hub does: with news from the outcome, or without news so that followers read from the store. */
function wake({ state }: TestState, wakes: Wakes<InboxNews>, { wake = [], delivery }: Effects, isTold: boolean) {
  wakes.wake(wake, isTold && delivery ? newsOf(state.db, delivery) : undefined)
}

/** Makes a state with ana and ben whose commands wake followers as in a hub. */
function start(isTold: boolean) {
  const made = new TestState()
  const wakes = new Wakes<InboxNews>()
  const [ana, ben] = [made.member('ana'), made.member('ben')]
  const apply = (command: Command) => wake(made, wakes, effectsOf(made.apply(command)), isTold)
  return {
    made,
    wakes,
    ana,
    ben,
    /** Sends one message and wakes. Returns its id. */
    send: (by: number, to: string, expiresInS?: number) => {
      const id = newMessageId()
      apply({ type: 'message.send', id, by, to: [to], body: 'hello', expiresInS })
      return id
    },
    apply,
    follow: (member: number, from?: Cursor | string) => {
      const end = new AbortController()
      onTestFinished(() => end.abort())
      const cursor = typeof from === 'string' ? parseCursor(from) : from
      const stream = follow(made.state, wakes, member, cursor, end.signal)
      return { stream, end, take: (count: number) => take(stream, count) }
    },
  }
}

async function take(stream: AsyncGenerator<Followed>, count: number): Promise<Followed[]> {
  const taken: Followed[] = []
  while (taken.length < count) {
    const { value, done } = await stream.next()
    if (done) throw new Error(`The stream ended after ${taken.length} of ${count}.`)
    taken.push(value)
  }
  return taken
}

const idsOf = (events: Followed[]) => events.map(({ data }) => data.id)

describe.each([
  ['with news from the outcome', true],
  ['read from the store', false],
])('%s', (_, isTold) => {
  test('yields all unread messages first, then new ones', async () => {
    const { ana, ben, send, follow } = start(isTold)
    const old = [send(ana, 'ben'), send(ana, 'ben')]
    const { stream, take } = follow(ben)
    expect(idsOf(await take(2))).toEqual(old)
    const next = stream.next()
    const live = send(ana, 'ben')
    expect((await next).value).toMatchObject({ event: 'inbox', data: { id: live, from: 'ana', unread: 3 } })
  })

  test('events that occur while the reader is busy are yielded when it continues', async () => {
    const { ana, ben, send, follow } = start(isTold)
    const { stream, take } = follow(ben)
    const first = stream.next()
    const ids = [send(ana, 'ben')]
    await first
    // The reader does not wait now.
    ids.push(send(ana, 'ben'), send(ana, 'ben'))
    expect(idsOf(await take(2))).toEqual(ids.slice(1))
  })

  test('a message that is read from the store before its wake is yielded once', async () => {
    const { made, wakes, ana, ben, send, follow } = start(isTold)
    const { stream, take } = follow(ben)
    const first = send(ana, 'ben')
    const second = newMessageId()
    const effects = effectsOf(made.apply({ type: 'message.send', id: second, by: ana, to: ['ben'], body: 'hello' }))
    expect(idsOf(await take(2))).toEqual([first, second])
    const next = stream.next()
    wake(made, wakes, effects, isTold)
    const third = send(ana, 'ben')
    expect(idsOf([(await next).value as Followed])).toEqual([third])
  })

  test('a message that is acked before the reader reaches it is not yielded', async () => {
    const { ana, ben, send, apply, follow } = start(isTold)
    const [read, unread] = [send(ana, 'ben'), send(ana, 'ben')]
    apply({ type: 'inbox.ack', by: ben, ids: [read] })
    expect(idsOf(await follow(ben).take(1))).toEqual([unread])
  })

  test('a reader that resumes receives everything after its cursor, receipts included', async () => {
    const { ana, ben, send, apply, follow } = start(isTold)
    send(ben, 'ana')
    const [{ cursor } = {}] = await follow(ana).take(1)
    const asked = send(ana, 'ben')
    apply({ type: 'inbox.ack', by: ben, ids: [asked] })
    const answer = send(ben, 'ana')
    expect(await follow(ana, cursor).take(2)).toMatchObject([
      { event: 'receipt', data: { id: asked, recipient: 'ben', status: 'acked' } },
      { event: 'inbox', data: { id: answer } },
    ])
  })

  test('a reader without a cursor receives new receipts only', async () => {
    const { ana, ben, send, apply, follow } = start(isTold)
    const [first, second] = [send(ana, 'ben'), send(ana, 'ben')]
    apply({ type: 'inbox.ack', by: ben, ids: [first] })
    const { stream } = follow(ana)
    const next = stream.next()
    apply({ type: 'inbox.ack', by: ben, ids: [second] })
    expect((await next).value).toMatchObject({ event: 'receipt', data: { id: second } })
  })

  test('a cursor of another epoch is ignored', async () => {
    const { made, ana, ben, send, follow } = start(isTold)
    const id = send(ana, 'ben')
    const foreign = { epoch: 'another', seq: made.state.position.seq + 1000 }
    expect(idsOf(await follow(ben, foreign).take(1))).toEqual([id])
  })

  test('250 receipts of one tick share a seq, and a cut anywhere among them loses none', async () => {
    const { made, ana, ben, send, apply, follow } = start(isTold)
    send(ben, 'ana')
    const [{ cursor: before } = {}] = await follow(ana).take(1)
    const ids = Array.from({ length: 250 }, () => send(ana, 'ben', 1))
    made.time += 2000
    apply({ type: 'clock.tick' })
    const last = send(ben, 'ana')

    const all = await follow(ana, before).take(251)
    expect(idsOf(all)).toEqual([...ids, last])
    expect(new Set(all.slice(0, 250).map(({ data }) => data.seq)).size).toBe(1)
    // Only the last has a cursor, so a reader that is cut before it starts over with the first.
    expect(all.slice(0, 249).filter(({ cursor }) => cursor !== undefined)).toEqual([])
    expect(idsOf(await follow(ana, all[249]!.cursor).take(1))).toEqual([last])
  })

  test('deliveries and receipts of many pages come in journal order', async () => {
    const { ana, ben, send, apply, follow } = start(isTold)
    send(ben, 'ana')
    const [{ cursor } = {}] = await follow(ana).take(1)
    const expected: string[] = []
    for (let i = 0; i < 150; i++) {
      const mine = send(ana, 'ben')
      apply({ type: 'inbox.ack', by: ben, ids: [mine] })
      expected.push(`receipt ${mine}`, `inbox ${send(ben, 'ana')}`)
      if (i % 3 === 0) expected.push(`inbox ${send(ben, 'ana')}`)
    }
    const events = await follow(ana, cursor).take(expected.length)
    expect(events.map(({ event, data }) => `${event} ${data.id}`)).toEqual(expected)
  })

  test('resuming from any received cursor yields exactly the rest', async () => {
    const { ana, ben, send, apply, follow } = start(isTold)
    const ids = [send(ben, 'ana'), send(ana, 'ben'), send(ana, 'ben'), send(ben, 'ana')]
    const [{ cursor: before } = {}] = await follow(ana).take(1)
    apply({ type: 'inbox.fetched', by: ben, ids: ids.slice(1, 2), session: 's1' })
    apply({ type: 'inbox.ack', by: ben, ids: ids.slice(2, 3) })
    send(ben, 'ana')
    const all = await follow(ana, before).take(4)
    for (const [index, { cursor }] of all.entries()) {
      if (index === all.length - 1) continue
      expect(await follow(ana, cursor).take(all.length - index - 1)).toEqual(all.slice(index + 1))
    }
  })

  test('an abort ends both a waiting stream and one that is being read', async () => {
    const { ana, ben, send, follow } = start(isTold)
    const waiting = follow(ben)
    const next = waiting.stream.next()
    waiting.end.abort()
    expect(await next).toEqual({ value: undefined, done: true })

    send(ana, 'ben')
    send(ana, 'ben')
    const reading = follow(ben)
    await reading.take(1)
    reading.end.abort()
    expect(await reading.stream.next()).toEqual({ value: undefined, done: true })
  })
})

test('an answer to a message of the reader arrives as delivery and receipt with one seq; only the second has the cursor', async () => {
  const { ana, ben, send, apply, follow } = start(true)
  const { stream } = follow(ana)
  const first = stream.next()
  const asked = send(ana, 'ben')
  send(ben, 'ana')
  await first
  const both = [stream.next(), stream.next()]
  apply({ type: 'message.send', id: newMessageId(), by: ben, to: ['ana'], body: 'yes', replyTo: asked })
  const events = (await Promise.all(both)).map(({ value }) => value as Followed)
  expect(events.map(({ event }) => event).sort()).toEqual(['inbox', 'receipt'])
  expect(events.map(({ cursor }) => cursor !== undefined)).toEqual([false, true])
})

const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('send' as const), by: fc.nat(2), to: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('answer' as const), by: fc.nat(2), at: fc.nat() }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('ack' as const), by: fc.nat(2), at: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('mute' as const), by: fc.nat(2), at: fc.nat(3) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('rename' as const), by: fc.nat(2), at: fc.nat() }) },
)

test('news from outcomes equals changes read from the store, in the same order and with the same cursors', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { minLength: 1, maxLength: 3 }), { maxLength: 20 }), async groups => {
      const made = new TestState()
      const names = ['ana', 'ben', 'cid']
      const members = names.map(name => made.member(name))
      const sent: string[] = []
      const hubs = [true, false].map(isTold => {
        const wakes = new Wakes<InboxNews>()
        const end = new AbortController()
        const readers = members.map(member => {
          const events: Followed[] = []
          const read = async () => {
            for await (const event of follow(made.state, wakes, member, undefined, end.signal)) events.push(event)
          }
          return { events, done: read() }
        })
        return { isTold, wakes, end, readers }
      })
      let renamed = 0
      for (const group of groups) {
        const known = sent.length
        for (const { kind, by: byAt, ...rest } of group) {
          const by = members[byAt]!
          const at = 'at' in rest ? rest.at : 0
          const command = ((): Command | undefined => {
            if (kind === 'rename')
              return group.length > 1 ? undefined : { type: 'member.rename', name: names[byAt]!, to: `x${++renamed}` }
            if (kind === 'mute') return { type: 'member.policy', by, mute: at === 3 ? [] : [names[at]!] }
            if (kind === 'send') return message(by, 'to' in rest && rest.to < 3 ? names[rest.to]! : 'all')
            if (known === 0) return undefined
            const id = sent[at % known]!
            return kind === 'ack'
              ? { type: 'inbox.ack', by, ids: [id] }
              : { ...message(by, names[at % 3]!), replyTo: id }
          })()
          if (!command) continue
          const outcome = made.apply(command)
          if (!outcome.ok) continue
          if (command.type === 'message.send') sent.push(command.id)
          if (command.type === 'member.rename') names[byAt] = command.to
          for (const { wakes, isTold } of hubs) wake(made, wakes, effectsOf(outcome), isTold)
        }
        await new Promise(resolve => setImmediate(resolve))
      }
      for (const { end, readers } of hubs) {
        end.abort()
        await Promise.all(readers.map(({ done }) => done))
      }
      const [told, read] = hubs.map(({ readers }) => readers.map(({ events }) => events.map(withoutUnread)))
      expect(told).toEqual(read)
    }),
    { numRuns: 15 },
  )
})

function message(by: number, to: string) {
  return { type: 'message.send' as const, id: newMessageId(), by, to: [to], body: 'hello' }
}

/** Removes the unread count: it is taken at the time of reading, which may be later when the store is read. */
function withoutUnread({ data, ...rest }: Followed) {
  return { ...rest, data: { ...data, unread: 0 } }
}
