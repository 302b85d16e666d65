import { expect, test } from 'vitest'
import { TestState } from '../../../../test/support/test-state.ts'
import { newMessageId } from '../../../protocol/ids.ts'
import type { CommandOf } from '../commands.ts'
import { noticesToSenders } from '../notify-senders.ts'
import { memberByName } from '../query/find-member.ts'
import { unreadAfter, unreadCount } from '../query/inbox.ts'
import { dueLater, laterOf } from '../query/later.ts'
import { messageFor } from '../query/messages.ts'
import { whyInWords } from '../refusal-words.ts'
import { nextDeletion } from './retention.ts'

const hour = 3_600_000
const day = 24 * hour

type Send = CommandOf<'message.send'>

function start() {
  const made = new TestState()
  const [ana, ben, cat] = [made.member('ana'), made.member('ben'), made.member('cat')]
  const { db } = made.state
  const command = (given: Partial<Send> = {}): Send => ({
    type: 'message.send',
    id: newMessageId(),
    by: ana,
    to: ['ben'],
    body: 'good morning',
    at: made.time + hour,
    ...given,
  })
  return {
    made,
    ana,
    ben,
    cat,
    command,
    send: (given: Partial<Send> = {}) => made.do(command(given)),
    /** Returns the refusal: its code and its sentence. */
    refusal: (given: Partial<Send>) => {
      const outcome = made.apply(command(given))
      if (outcome.ok) throw new Error('It was accepted.')
      return { code: outcome.refusal.why.code, message: whyInWords(db, outcome.refusal.why).message }
    },
    /** Advances the time by `ms`, and does what a hub does every second. */
    pass: (ms: number) => {
      made.time += ms
      const ids = dueLater(db, made.time - made.clockOffset, 100)
      const became = ids.map(id => made.do({ type: 'later.deliver', id }).became)
      made.do({ type: 'clock.tick' })
      for (const tell of noticesToSenders(db)) made.do(tell)
      return became
    },
    inbox: (member: number) => unreadAfter(db, member, 0, 100),
    bodies: (member: number) => unreadAfter(db, member, 0, 100).map(({ body }) => body),
    waiting: (member = ana) => laterOf(db, member).map(({ id }) => id),
  }
}

test('a scheduled message is in no inbox before it is due, and then has the seq and time of its delivery', () => {
  const { made, ana, ben, send, pass, inbox, waiting } = start()
  const writtenAt = new Date(made.time).toISOString()
  const later = send({ expiresInS: 60 })
  expect(later).toMatchObject({ at: made.time + hour, repeated: false, recipients: [{ name: 'ben', status: 'later' }] })
  const between = made.send(ana, 'ben')
  expect(pass(hour - 1)).toEqual([])
  expect(inbox(ben).map(({ id }) => id)).toEqual([between])
  expect(messageFor(made.state.db, ben, later.id)).toBeUndefined()
  expect(waiting()).toEqual([later.id])
  expect(pass(1)).toEqual(['sent'])
  const [, delivered] = inbox(ben)
  expect(delivered).toMatchObject({
    id: later.id,
    sentAt: new Date(made.time).toISOString(),
    writtenAt,
    intent: 'request',
    expiresAt: new Date(made.time + 60_000).toISOString(),
  })
  expect(delivered!.seq).toBeGreaterThan(later.seq)
  expect(waiting()).toEqual([])
  expect(made.do({ type: 'later.deliver', id: later.id })).toEqual({ became: 'nothing' })
  expect(inbox(ben)).toHaveLength(2)
})

test('repeating a scheduled message returns the first outcome, also after it is due; another message under its id is a conflict', () => {
  const { made, ben, command, refusal, pass, inbox } = start()
  const first = command()
  const answer = made.do(first)
  made.time += 1000
  expect(made.do(first)).toEqual({ ...answer, repeated: true })
  const { id } = first
  for (const other of [{ id }, { id, at: first.at! + 1 }, { id, at: undefined }, { id, body: 'other', at: first.at! }])
    expect(refusal(other).code).toBe('message_id_taken')
  expect(refusal({ ...first, by: ben, to: ['cat'] }).code).toBe('message_id_taken')
  pass(hour)
  expect(made.do({ ...first, wasKept: true })).toMatchObject({ repeated: true, seq: inbox(ben)[0]!.seq })
  expect(refusal({ id, at: undefined }).code).toBe('message_id_taken')
  expect(inbox(ben)).toHaveLength(1)
})

test('a past time is refused, unless the send was in transit or waited in an outbox; so is a time more than a year ahead', () => {
  const { made, ben, send, refusal, bodies } = start()
  expect(refusal({ at: made.time - 5001 })).toEqual({
    code: 'at_past',
    message:
      '2025-12-31T23:59:54.999Z has passed: the clock of the hub says 2026-01-01T00:00:00.000Z. Nothing was sent.',
  })
  expect(refusal({ at: made.time + 367 * day }).code).toBe('at_too_far')
  expect(send({ at: made.time - 5000, body: 'on its way' })).not.toHaveProperty('at')
  expect(send({ at: made.time - 10 * day, body: 'kept', wasKept: true })).not.toHaveProperty('at')
  expect(bodies(ben)).toEqual(['on its way', 'kept'])
})

test('scheduled messages are due by steady time, whatever the wall clock shows', () => {
  const { made, ben, send, pass, bodies } = start()
  send()
  made.clockOffset += day
  expect(pass(day)).toEqual([])
  made.clockOffset -= 2 * day
  expect(pass(hour - 2 * day)).toEqual(['sent'])
  expect(bodies(ben)).toEqual(['good morning'])
})

test('scheduled messages that are due together are delivered by the time due, then in the order written', () => {
  const { made, ben, send, pass, bodies } = start()
  for (const [body, minutes] of [
    ['third', 30],
    ['first', 10],
    ['fourth', 30],
    ['second', 20],
  ] as const)
    send({ body, at: made.time + minutes * 60_000 })
  pass(hour)
  expect(bodies(ben)).toEqual(['first', 'second', 'third', 'fourth'])
})

test('groups and all are resolved when the message is due; a member stays the one that was named, whatever its name is then', () => {
  const { made, ben, cat, send, pass, bodies, inbox } = start()
  made.do({ type: 'group.set', group: 'team', members: ['ben'] })
  made.do({ type: 'alias.set', alias: 'kit', member: 'cat' })
  send({ to: ['team'], body: 'to the team' })
  send({ to: ['all'], body: 'to all' })
  send({ to: ['kit', 'Ben'], body: 'to kit and ben' })
  made.do({ type: 'group.set', group: 'team', members: ['cat'] })
  made.do({ type: 'alias.set', alias: 'kit', member: 'ana' })
  made.do({ type: 'member.rename', name: 'ben', to: 'benny' })
  const dora = made.member('dora')
  made.do({ type: 'member.add', name: 'ben', kind: 'machine' })
  const newBen = memberByName(made.state.db, 'ben')!.id
  expect(pass(hour)).toEqual(['sent', 'sent', 'sent'])
  expect(bodies(cat)).toEqual(['to the team', 'to all', 'to kit and ben'])
  expect(bodies(ben)).toEqual(['to all', 'to kit and ben'])
  expect(inbox(ben)[1]).toMatchObject({ to: ['kit', 'Ben'] })
  expect(bodies(dora)).toEqual(['to all'])
  expect(bodies(newBen)).toEqual(['to all'])
})

test('unknown names, a reply to an unknown message, and a recipient who accepts none are refused at once', () => {
  const { made, ben, cat, refusal, send } = start()
  expect(refusal({ to: ['nobody'] }).code).toBe('no_recipients')
  expect(refusal({ to: ['hub'] }).code).toBe('hub_reads_nothing')
  expect(refusal({ replyTo: newMessageId(), mustKnowReply: true }).code).toBe('reply_unknown')
  made.do({ type: 'member.policy', by: ben, inbound: 'refuse' })
  expect(refusal({}).code).toBe('not_taken')
  expect(send({ to: ['ben', 'cat'] }).recipients).toEqual([
    { member: ben, name: 'ben', kind: 'machine', status: 'refused', reason: { code: 'takes_none' } },
    { member: cat, name: 'cat', kind: 'machine', status: 'later' },
  ])
})

test('the sender of a message that is refused when it is due is notified once', () => {
  const { made, ana, ben, cat, command, send, refusal, pass, inbox, bodies } = start()
  const whole = command({ body: 'for ben alone' })
  made.do(whole)
  const partly = send({ to: ['ben', 'cat'], body: 'for both\nand more' })
  made.do({ type: 'member.policy', by: ben, inbound: 'refuse' })
  expect(pass(hour)).toEqual(['refused', 'sent'])
  expect(bodies(cat)).toEqual(['for both\nand more'])
  expect(inbox(ana)).toMatchObject([{ from: 'hub', fromKind: 'hub', intent: 'inform' }])
  expect(bodies(ana)).toEqual([
    [
      'What became of 2 messages that you sent:',
      `- A scheduled message to ben was due, but nobody accepted it: ben takes no messages now. Only its user can change that. Message ${whole.id}, which begins: for ben alone`,
      `- A scheduled message to ben, cat was due, but some did not accept it: ben takes no messages now. Message ${partly.id}, which begins: for both`,
    ].join('\n'),
  ])
  pass(hour)
  expect(inbox(ana)).toHaveLength(1)
  expect(refusal(whole).code).toBe('later_refused')
})

test('a sender is notified of members and groups deleted before the message was due; the others receive it', () => {
  const { made, ana, cat, send, pass, bodies } = start()
  made.do({ type: 'group.set', group: 'team', members: ['ben'] })
  send({ body: 'to one who goes' })
  send({ to: ['team', 'ben', 'cat'], body: 'to some' })
  send({ to: ['team'], body: 'to the team' })
  made.do({ type: 'member.delete', name: 'ben' })
  made.do({ type: 'group.remove', group: 'team' })
  // Another member has the name now.
  made.do({ type: 'member.add', name: 'ben', kind: 'machine' })
  const newBen = memberByName(made.state.db, 'ben')!.id
  expect(pass(hour)).toEqual(['refused', 'sent', 'refused'])
  expect(bodies(newBen)).toEqual([])
  expect(bodies(cat)).toEqual(['to some'])
  const [notice] = bodies(ana)
  expect(notice).toContain(
    '- A scheduled message to ben was due, but nobody accepted it: ben: no member or group has this',
  )
  expect(notice).toContain('some did not accept it: team, ben are no longer members, groups or projects.')
})

test('a full inbox and a brake apply when the message is due, not when it is written', () => {
  const { made, ana, ben, send, pass, bodies } = start()
  const brake = { from: ana, to: ben, why: 'repeats:5', notice: { id: newMessageId(), body: 'stopped' } }
  made.do({ type: 'pair.brake', until: made.time + hour / 2, ...brake })
  send({ body: 'after the brake' })
  expect(pass(hour)).toEqual(['sent'])
  send({ body: 'during the brake' })
  made.do({
    type: 'pair.brake',
    until: made.time + 2 * hour,
    ...brake,
    notice: { id: newMessageId(), body: 'stopped' },
  })
  expect(pass(hour)).toEqual(['refused'])
  expect(bodies(ben)).not.toContain('during the brake')
  expect(bodies(ana)[0]).toContain('looked like a loop')
})

test('a later reply acks the message that it answers when it is delivered', () => {
  const { made, ana, ben, send, pass, inbox } = start()
  const asked = made.send(ben, 'ana')
  send({ replyTo: asked, mustKnowReply: true, intent: 'inform' })
  expect(inbox(ana)).toHaveLength(1)
  pass(hour)
  expect(inbox(ana)).toEqual([])
  expect(inbox(ben)).toMatchObject([{ replyTo: asked, intent: 'inform' }])
})

test('a cancelled message is never delivered, and its id stays in use for a year', () => {
  const { made, ana, ben, cat, command, refusal, pass, inbox, waiting } = start()
  const first = command()
  made.do(first)
  const cancel = (by: number, id = first.id) => made.apply({ type: 'later.cancel', by, id })
  expect(cancel(cat)).toMatchObject({ ok: false, refusal: { code: 'not_found' } })
  expect(cancel(ana)).toMatchObject({ ok: true })
  expect(cancel(ana)).toMatchObject({ ok: true })
  expect(waiting()).toEqual([])
  expect(pass(2 * hour)).toEqual([])
  // The delivery was in progress when the message was cancelled.
  expect(made.do({ type: 'later.deliver', id: first.id })).toMatchObject({ became: 'nothing' })
  expect(inbox(ben)).toEqual([])
  expect(refusal(first).code).toBe('later_cancelled')
  expect(refusal({ id: first.id, at: undefined }).code).toBe('message_id_taken')
  expect(made.state.db.all('select content from later')).toEqual([{ content: null }])
  const due = nextDeletion(made.state.db)!
  expect(due).toBeGreaterThan(made.time + 364 * day)
  pass(366 * day)
  expect(made.state.db.all('select id from later')).toEqual([])

  const second = made.do(command())
  pass(hour)
  expect(cancel(ana, second.id)).toMatchObject({ ok: false, refusal: { why: { code: 'later_delivered' } } })
  expect(cancel(ana, made.send(ana, 'ben'))).toMatchObject({ ok: false, refusal: { code: 'not_found' } })
})

test('each sender may have a hundred scheduled messages waiting', () => {
  const { made, ana, ben, command, send, refusal, pass } = start()
  const sent = Array.from({ length: 100 }, () => send())
  expect(refusal({})).toMatchObject({ code: 'later_full', message: expect.stringContaining('100 messages') })
  expect(made.do({ ...command(), by: ben, to: ['cat'] })).toHaveProperty('at')
  made.do({ type: 'later.cancel', by: ana, id: sent[0]!.id })
  send()
  expect(refusal({}).code).toBe('later_full')
  pass(hour)
  send({ to: ['cat'] })
})

test('a revoked member is notified that its scheduled messages are cancelled; those of a deleted member are deleted', () => {
  const { made, ana, ben, command, send, pass, inbox, bodies, waiting } = start()
  const { id } = send()
  made.do({ ...command(), by: ben, to: ['ana'] })
  expect(made.do({ type: 'member.revoke', name: 'ana' })).toEqual({ name: 'ana', revoked: 0, later: 1 })
  expect(waiting()).toEqual([])
  made.do({ type: 'member.delete', name: 'ben' })
  expect(pass(hour)).toEqual([])
  expect(bodies(ana)).toEqual([
    `What became of 1 message that you sent:\n- A scheduled message to ben was cancelled, because the admin ended the tokens of this machine. Message ${id}, which begins: good morning`,
  ])
  expect(inbox(ben)).toEqual([])
  expect(made.do({ type: 'member.revoke', name: 'ana' })).toEqual({ name: 'ana', revoked: 0 })
})

test('a scheduled message that was damaged on disk is not delivered, and its sender is notified', () => {
  const { made, ana, ben, send, pass, inbox, bodies } = start()
  const [torn, other] = [send(), send({ body: 'whole' })]
  made.state.db.run(`update later set content = substr(content, 2) where id = ?`, torn.id)
  made.state.db.run(`update later set content = replace(content, 'whole', 'hole') where id = ?`, other.id)
  expect(pass(hour)).toEqual(['refused', 'refused'])
  expect(inbox(ben)).toEqual([])
  expect(bodies(ana)[0]).toContain('damaged it while it waited')
})

test('the sender of requests that expire unread is notified once, in one message; not of an inform', () => {
  const { made, ana, ben, cat, pass, inbox, bodies } = start()
  const ask = (given: Partial<Send>) =>
    made.do({ type: 'message.send', id: newMessageId(), by: ana, to: ['ben'], body: 'do it', expiresInS: 60, ...given })
      .id
  const [order, toAll] = [ask({}), ask({ to: ['all'], intent: 'urgent', body: 'x\n'.repeat(200) })]
  const acked = ask({ body: 'acked' })
  ask({ intent: 'inform', body: 'status' })
  made.do({ type: 'inbox.fetched', by: cat, ids: [toAll], session: 's1' })
  made.do({ type: 'inbox.ack', by: ben, ids: [acked] })
  pass(60_000)
  expect(inbox(ben)).toEqual([])
  expect(bodies(ana)).toEqual([
    [
      'What became of 2 messages that you sent:',
      `- It expired at ben before anybody there had acked it. Message ${order}, which begins: do it`,
      `- It expired at ben, cat (a session was shown it) before anybody there had acked it. Message ${toAll}, which begins: x`,
    ].join('\n'),
  ])
  pass(60_000)
  expect(inbox(ana)).toHaveLength(1)
})

test('a member who accepts no messages is still notified about its own', () => {
  const { made, ana, command, pass, bodies } = start()
  made.do({ type: 'member.policy', by: ana, inbound: 'refuse' })
  made.do({ ...command(), at: undefined, expiresInS: 60 })
  pass(60_000)
  expect(bodies(ana)).toHaveLength(1)
})

test('the notice goes to the project that sent the message, while that is known', () => {
  const { made, ana, command, pass, inbox } = start()
  made.do({ type: 'project.see', by: ana, project: 'shop' })
  for (const fromProject of ['shop', 'gone', undefined])
    made.do({ ...command(), at: undefined, expiresInS: 60, fromProject })
  pass(60_000)
  expect(inbox(ana).map(({ project, body }) => [project, body.split('\n').length])).toEqual([
    ['shop', 2],
    [undefined, 2],
    [undefined, 2],
  ])
  pass(60_000)
  expect(inbox(ana)).toHaveLength(3)
  const { db } = made.state
  expect(unreadCount(db, ana, 'shop')).toBe(3)
  expect(unreadCount(db, ana, 'web')).toBe(2)
  made.do({ type: 'inbox.ack', by: ana, ids: inbox(ana).map(({ id }) => id) })
  expect([unreadCount(db, ana), unreadCount(db, ana, 'shop')]).toEqual([0, 0])
})

test('one notice counts all messages that expired, and names the newest ten', () => {
  const { made, ana, pass, bodies } = start()
  for (let n = 0; n < 30; n++)
    made.do({ type: 'message.send', id: newMessageId(), by: ana, to: ['ben'], body: `${n}`, expiresInS: 60 })
  pass(60_000)
  const [notice] = bodies(ana)
  expect(notice!.split('\n')).toHaveLength(12)
  expect(notice).toContain('30 messages')
  expect(notice).toMatch(/begins: 29\n20 more: claude-net history shows them\.$/)
})

test('entries of earlier rules record no notices for senders', () => {
  const { made, ana, inbox } = start()
  made.send(ana, 'ben', 60)
  made.time += 60_000
  const { seq } = made.state.position
  made.state.replay([{ v: 1, seq: seq + 1, time: made.time, steady: made.time, command: { type: 'clock.tick' } }])
  expect(noticesToSenders(made.state.db)).toEqual([])
  expect(inbox(ana)).toEqual([])
})
