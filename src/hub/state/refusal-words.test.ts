import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { TestState } from '../../../test/support/test-state.ts'
import { newMessageId } from '../../protocol/ids.ts'
import { activeBrakes } from './query/brakes.ts'
import { messageFor } from './query/messages.ts'
import { loopCode, loopInWords, notTakenInWords, refused, whyInWords } from './refusal-words.ts'
import { type NotTaken, refuse, type Why } from './refusals.ts'

const until = Date.parse('2026-01-02T03:04:05.000Z')

test.for<[NotTaken, string]>([
  [{ code: 'takes_none' }, 'ben takes no messages now.'],
  [
    { code: 'braked', until, why: loopCode({ messages: 31, windowS: 300 }) },
    'Messages between you and ben are stopped until 2026-01-02T03:04:05.000Z: 31 messages within 5 min looked like a loop.',
  ],
  [{ code: 'inbox_full', unread: 500 }, 'The inbox of ben is full: 500 messages are unread.'],
  [
    { code: 'share_full', own: 250 },
    'The inbox of ben has 250 unread messages of yours, the most that one sender may have there.',
  ],
  [{ code: 'reserved', unread: 450, own: 60 }, 'The inbox of ben is nearly full: 450 messages are unread.'],
])('the reason %j becomes a sentence', ([why, message]) => {
  expect(notTakenInWords('ben', why).message).toBe(message)
})

test('a loop is stored as a code with its numbers; a sentence stored by an older hub is shown unchanged', () => {
  expect(loopInWords(loopCode({ repeats: 6 }))).toBe('the same text 6 times running')
  expect(loopInWords('31 messages within 5 minutes')).toBe('31 messages within 5 minutes')
})

test('the store contains codes of refusals, which are shown to the sender as sentences', () => {
  const made = new TestState()
  const [ana, ben, cat] = [made.member('ana'), made.member('ben'), made.member('cat')]
  made.do({ type: 'member.policy', by: ben, inbound: 'refuse' })
  const id = newMessageId()
  const command = { type: 'message.send' as const, id, by: ana, to: ['ben', 'cat'], body: 'hello' }
  made.do(command)
  const stored = () => made.state.db.get<{ outcome: string }>('select outcome from message where id = ?', id)!.outcome
  expect(JSON.parse(stored())).toMatchObject([
    { name: 'ben', reason: { code: 'takes_none' } },
    { name: 'cat', status: 'stored' },
  ])
  const shown = () => messageFor(made.state.db, ana, id)?.deliveries.find(({ member }) => member === ben)?.reason
  expect(shown()).toBe('ben takes no messages now.')
  expect(made.do(command).recipients[0]).toMatchObject({ reason: { code: 'takes_none' } })

  // As an older hub stored it.
  made.state.db.run(`update message set outcome = replace(outcome, '{"code":"takes_none"}', '"ben slept then."')`)
  expect(stored()).toContain('"ben slept then."')
  expect(shown()).toBe('ben slept then.')

  const why = loopCode({ messages: 31, windowS: 300 })
  const notice = { id: newMessageId(), body: 'Wait.' }
  made.do({ type: 'pair.brake', from: ana, to: cat, until: made.time + 60_000, why, notice })
  expect(made.state.db.get('select why from brake')).toEqual({ why: 'messages:31:300' })
  expect(activeBrakes(made.state.db, made.time)).toMatchObject([{ why: '31 messages within 5 min' }])
})

test('no file of apply contains a sentence: the words of a refusal are made when it is shown', () => {
  const dir = join(import.meta.dirname, 'apply')
  const files = readdirSync(dir).filter(name => !name.endsWith('.test.ts'))
  expect(files.length).toBeGreaterThan(10)
  for (const name of files) {
    const code = readFileSync(join(dir, name), 'utf8').replace(/\/\*[\s\S]*?\*\/|\/\/.*/g, '')
    expect(code.match(/(['"`])([A-Z]|\$\{)[^'"`\n]* [^'"`\n]*\.\1/)?.[0], name).toBeUndefined()
  }
})

test.for<[Why, string, string]>([
  [{ code: 'failed' }, 'nothing was changed', 'Its log says why'],
  [{ code: 'not_taken', name: 'ben', reason: { code: 'takes_none' } }, 'ben takes no messages', 'Only its user'],
  [{ code: 'reaches_nobody' }, 'would reach nobody', 'has been invited'],
  [
    { code: 'no_recipients', names: ['benn', 'x'] },
    "called 'benn' or 'x'. Nothing was sent.",
    'Did you mean ben? claude_net',
  ],
  [{ code: 'hub_reads_nothing' }, 'nobody reads there', 'needs no answer'],
  [{ code: 'reply_unknown', id: 'ID' }, 'a message ID, so', 'from your inbox'],
  [{ code: 'message_id_taken', id: 'ID' }, 'The id ID belongs', 'under a new id'],
  [{ code: 'no_member', name: 'benn' }, "No member is called 'benn'.", 'Did you mean ben? claude-net members lists'],
  [{ code: 'no_member', name: 'zzzzzz' }, "No member is called 'zzzzzz'.", 'claude-net members lists'],
  [{ code: 'no_human', name: 'benn' }, "No human is called 'benn'.", 'Did you mean ben?'],
  [{ code: 'no_human', name: 'zzzzzz' }, "No human is called 'zzzzzz'.", 'Make the human first'],
  [{ code: 'owner_is_machine', name: 'ben' }, 'ben is a machine', 'Make the human first'],
  [{ code: 'human_has_no_owner', name: 'sue' }, 'nobody owns it', 'for machines'],
  [
    { code: 'name_taken', name: 'ben', taken: { kind: 'machine' }, wanted: 'human' },
    'ben is a machine, not a human.',
    'another name.',
  ],
  [
    { code: 'name_taken', name: 'kit', taken: { kind: 'alias', member: 'ben' }, wanted: 'group' },
    'kit is an alias of ben.',
    'another name.',
  ],
  [
    { code: 'name_taken', name: 'crew', taken: { kind: 'group' }, wanted: 'alias' },
    'crew is a group.',
    'another alias.',
  ],
  [{ code: 'no_alias', alias: 'kit' }, "no alias 'kit'", 'claude-net members'],
  [{ code: 'no_group', group: 'zzzzzz' }, "no group 'zzzzzz'", 'claude-net group'],
  [{ code: 'code_unknown', name: 'ben' }, 'unknown or its 10 minutes', 'claude-net invite ben'],
  [{ code: 'code_of_another', name: 'ben' }, 'for another name', 'claude-net invite ben'],
  [{ code: 'code_used', name: 'ben' }, 'used already', 'claude-net invite ben'],
  [{ code: 'token_of_another_kind', name: 'sue', kind: 'human' }, "needs a human's token", 'claude-net join'],
  [{ code: 'token_id_taken' }, 'with this id exists', 'claude-net join again'],
  [{ code: 'not_seen_last', user: 7 }, 'User 7 is not the one', '/whoami'],
  [{ code: 'user_taken', user: 7 }, 'User 7 is confirmed', 'frees it'],
  [
    { code: 'not_imported', step: { code: 'no_member', name: 'benn' } },
    "No member is called 'benn'. Nothing was imported.",
    'Did you mean ben?',
  ],
])('%j becomes a sentence and a hint', ([why, message, hint]) => {
  const made = new TestState()
  made.member('ben')
  const { db } = made.state
  const words = whyInWords(db, why)
  expect(words.message).toContain(message)
  expect(words.hint).toContain(hint)
  expect(refused(db, refuse('conflict', why).refusal)).toMatchObject({ code: 'conflict', ...words, settled: true })
})
