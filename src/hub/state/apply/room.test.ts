import { expect, test } from 'vitest'
import { TestState } from '../../../../test/support/test-state.ts'
import { newMessageId } from '../../../protocol/ids.ts'
import type { Intent } from '../../../protocol/messages.ts'
import { whyInWords } from '../refusal-words.ts'

/** A state whose inboxes have room for 400 messages: 100 of one sender, the last 40 reserved for other senders and urgent messages. */
function start() {
  const made = new TestState()
  made.do({ type: 'settings.set', inboxMessages: 400 })
  const [ana, ben, cleo, dora, eve, fay, zoe] = ['ana', 'ben', 'cleo', 'dora', 'eve', 'fay', 'zoe'].map(name =>
    made.member(name),
  ) as [number, number, number, number, number, number, number]
  const send = (by: number, { intent, body = 'text' }: { intent?: Intent; body?: string } = {}) => {
    const id = newMessageId()
    const outcome = made.apply({ type: 'message.send', id, by, to: ['zoe'], body, intent })
    return outcome.ok ? id : whyInWords(made.state.db, outcome.refusal.why).message
  }
  /** Sends `n`, and returns the ids. */
  const fill = (by: number, n: number) => Array.from({ length: n }, () => send(by))
  const shares = () =>
    made.state.db.all<{ sender: number; unread: number; bytes: number }>(
      'select sender, unread, bytes from inbox_share where recipient = ? order by sender',
      zoe,
    )
  const ack = (ids: string[]) => made.do({ type: 'inbox.ack', by: zoe, ids })
  return { made, ana, ben, cleo, dora, eve, fay, zoe, send, fill, shares, ack }
}

const refused = {
  share: /^The inbox of zoe has 100 unread messages of yours, the most/,
  rest: /^The inbox of zoe is nearly full/,
}

test('one sender can fill a quarter of an inbox; others still have room', () => {
  const { ana, ben, fill, send } = start()
  fill(ana, 100)
  expect(send(ana)).toMatch(refused.share)
  expect(send(ana, { intent: 'urgent' })).toMatch(refused.share)
  expect(send(ben)).not.toMatch(/inbox/)
})

test('the last tenth has room for four messages of each sender, and for urgent ones until a third of it is left', () => {
  const { ana, ben, cleo, dora, eve, fay, fill, send } = start()
  fill(ana, 100)
  fill(ben, 100)
  fill(cleo, 100)
  fill(dora, 60)
  expect(send(dora)).toMatch(refused.rest)
  for (const sender of [eve, eve, eve, eve, fay]) expect(send(sender)).not.toMatch(/inbox/)
  expect(send(eve)).toMatch(refused.rest)
  for (let n = 0; n < 21; n++) expect(send(dora, { intent: 'urgent' })).not.toMatch(/inbox/)
  expect(send(dora, { intent: 'urgent' })).toMatch(refused.rest)
  expect(send(fay)).not.toMatch(/inbox/)
})

test('an ack or an expiry frees room, for the sender and in the inbox', () => {
  const { made, ana, ben, fill, send, ack, shares, zoe } = start()
  const ids = fill(ana, 100)
  expect(send(ana)).toMatch(refused.share)
  ack(ids.slice(0, 2))
  fill(ana, 1)
  made.send(ana, 'zoe', 60)
  expect(send(ana)).toMatch(refused.share)
  made.time += 61_000
  made.do({ type: 'clock.tick' })
  expect(send(ana)).not.toMatch(/inbox/)
  fill(ben, 3)
  expect(shares()).toEqual([
    { sender: ana, unread: 100, bytes: 400 },
    { sender: ben, unread: 3, bytes: 12 },
  ])
  ack(ids.slice(2))
  expect(shares()).toEqual([])
  expect(
    made.state.db.get('select unread, unread_bytes as bytes, is_shared as shared from member where id = ?', zoe),
  ).toEqual({ unread: 5, bytes: 20, shared: 0 })
})

test('bytes are limited like messages', () => {
  const { made, ana, ben, send } = start()
  made.do({ type: 'settings.set', inboxBytes: 1024 * 1024 })
  const body = 'x'.repeat(32 * 1024)
  for (let n = 0; n < 8; n++) expect(send(ana, { body })).not.toMatch(/inbox/)
  // 32 of these fill the inbox; counting by sender starts only above 1 MiB or 100 messages.
  for (let n = 8; n < 32; n++) send(n % 2 ? ana : ben, { body })
  expect(send(ana, { body })).toMatch(/is full/)
})

test('shares include messages that were stored before counting by sender began', () => {
  const { made, ana, ben, cleo, zoe, fill, shares, ack } = start()
  made.do({ type: 'settings.set', inboxMessages: 2000 })
  const early = [...fill(ana, 60), ...fill(ben, 60)]
  ack(early.slice(50, 70))
  fill(cleo, 130)
  expect(shares()).toEqual([
    { sender: ana, unread: 50, bytes: 200 },
    { sender: ben, unread: 50, bytes: 200 },
    { sender: cleo, unread: 130, bytes: 520 },
  ])
  made.do({ type: 'member.delete', name: 'zoe' })
  expect(shares()).toEqual([])
  expect(made.state.db.get('select is_shared as shared from member where id = ?', zoe)).toEqual({ shared: 0 })
})
