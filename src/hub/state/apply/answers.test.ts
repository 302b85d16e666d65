import { expect, test } from 'vitest'
import { TestState } from '../../../../test/support/test-state.ts'
import { newMessageId } from '../../../protocol/ids.ts'
import { unreadAfter } from '../query/inbox.ts'

/** Sean owns two machines, Jaz none; chasclaude has asked both machines, and a third one, something. */
function asked() {
  const made = new TestState()
  const [sean, jaz] = [made.member('sean', 'human'), made.member('jaz', 'human')]
  const [one, two, third] = ['seanclaude', 'laptop', 'other'].map(name => made.member(name))
  const chasclaude = made.member('chasclaude')
  for (const name of ['seanclaude', 'laptop']) made.do({ type: 'member.own', name, owner: 'sean' })
  const id = newMessageId()
  made.do({
    type: 'message.send',
    id,
    by: chasclaude,
    to: ['seanclaude', 'laptop', 'other'],
    body: 'May I?',
    intent: 'request',
  })
  const answer = (by: number, more: object) =>
    made.apply({
      type: 'message.send',
      id: newMessageId(),
      by,
      to: ['chasclaude'],
      body: 'Yes.',
      replyTo: id,
      mustKnowReply: true,
      ...more,
    })
  const answeredBy = (member: number) => unreadAfter(made.state.db, member, 0, 10)[0]!.answeredBy
  return { made, id, sean, jaz, one: one!, two: two!, third: third!, answer, answeredBy }
}

test('only the owner of a machine can answer in its place, which every machine of that owner then shows', () => {
  const { made, id, sean, jaz, one, two, third, answer, answeredBy } = asked()
  const shownAt = { chat: -1, message: 7 }
  expect(answer(jaz, { answersFor: one })).toMatchObject({ ok: false, refusal: { code: 'not_found' } })
  made.do({ type: 'telegram.told', of: 'mail', ...shownAt, machine: one, ids: [id], upTo: 0 })
  expect(answer(jaz, { answersFor: one, shownAt })).toMatchObject({ ok: true })
  expect([one, two, third].map(answeredBy)).toEqual([undefined, undefined, undefined])
  expect(answer(sean, { shownAt })).toMatchObject({ ok: true })
  expect([one, two, third].map(answeredBy)).toEqual(['sean', 'sean', undefined])
})

test('a reply to a message that its sender never saw is refused like a reply to one that does not exist', () => {
  const { made, id, sean, jaz, one, answer } = asked()
  const refusal = (outcome: ReturnType<typeof answer>, of: string) =>
    !outcome.ok && JSON.parse(JSON.stringify(outcome.refusal).replaceAll(of, 'ID'))
  const never = newMessageId()
  const missing = refusal(answer(jaz, { replyTo: never }), never)
  expect(missing).toMatchObject({ code: 'not_found', why: { code: 'reply_unknown', id: 'ID' } })
  expect(refusal(answer(jaz, {}), id)).toEqual(missing)
  expect(refusal(answer(sean, {}), id)).toEqual(missing)
  // Shown in another chat, or as another message of that chat.
  made.do({ type: 'telegram.told', of: 'mail', chat: -1, message: 7, machine: one, ids: [id], upTo: 0 })
  expect(refusal(answer(jaz, { shownAt: { chat: -1, message: 8 } }), id)).toEqual(missing)
  expect(answer(one, {})).toMatchObject({ ok: true })
  // Entries of older hubs, without `mustKnowReply`, apply as before.
  expect(answer(jaz, { replyTo: never, mustKnowReply: undefined })).toMatchObject({ ok: true })
})
