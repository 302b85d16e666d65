import { expect, test } from 'vitest'
import { TestState } from '../../../../test/support/test-state.ts'
import { newMessageId } from '../../../protocol/ids.ts'
import { indexSome } from '../local/history-index.ts'
import { type ConversationPlace, conversationsOf, formatPlace, parsePlace } from './conversations.ts'
import type { Eyes } from './viewer.ts'

/** Members of these names, and queries of their conversations. */
function store(names: string[]) {
  const made = new TestState()
  made.state.db.addCheck('in_time', () => {})
  const ids = new Map(names.map(name => [name, made.member(name)]))
  const id = (name: string) => ids.get(name)!
  const list = (eyes: Eyes, limit = 100, before?: ConversationPlace) =>
    conversationsOf(made.state.db, eyes, { before, limit, now: made.time }, () => {})
  const shown = (...members: string[]) =>
    list(new Set(members.map(id))).map(({ of, with: other, beginning }) => `${of} ${other}: ${beginning}`)
  const ask = (by: string, to: string | string[], body: string, replyTo?: string, more = {}) => {
    const message = newMessageId()
    const command = { id: message, by: id(by), to: [to].flat(), body, replyTo, intent: 'request' as const, ...more }
    made.do({ type: 'message.send', ...command })
    return message
  }
  const index = () => {
    while (indexSome(made.state.db));
  }
  return { made, id, list, shown, ask, index }
}

test.each(['never', 'halfway', 'at the end'])('the newest message of each partner comes first; indexed %s', when => {
  const { made, id, shown, ask, index } = store(['ana', 'ben', 'cat', 'dan'])
  ask('ana', 'ben', 'one')
  ask('cat', 'ana', 'two')
  ask('ana', 'ana', 'to myself')
  if (when === 'halfway') index()
  ask('ben', 'ana', 'three')
  made.do({ type: 'group.set', group: 'team', members: ['ana', 'ben', 'cat'] })
  ask('ana', '@Team', 'to the team')
  ask('ana', ['ben', 'cat'], 'to two of them')
  ask('dan', 'all', 'to all')
  if (when === 'at the end') index()
  expect(shown('ana')).toEqual([
    'ana dan: to all',
    'ana ben: to two of them',
    'ana cat: to two of them',
    'ana team: to the team',
    'ana ana: to myself',
  ])
  expect(shown('ben')).toEqual(['ben dan: to all', 'ben ana: to two of them'])
  expect(shown('dan')).toEqual(['dan all: to all'])
  expect(shown('cat', 'dan').slice(0, 2)).toEqual(['cat dan: to all', 'dan all: to all'])
  expect(made.history(id('ana'), { crowd: 'team' })).toHaveLength(1)
  expect(made.history(id('dan'), { crowd: 'all' })).toHaveLength(1)
  expect(made.history(id('ben'), { crowd: 'team' })).toEqual([])
})

test.each([1, 3, 7])('pages of %i join without gap or repeat, even where many share one newest message', limit => {
  const names = Array.from({ length: 30 }, (_, n) => `m${n}`)
  const { id, list, ask, index } = store(names)
  for (const name of names.slice(1, 20)) ask('m0', name, `to ${name}`)
  ask('m0', names.slice(5, 15), 'to ten')
  index()
  for (const name of names.slice(3, 9)) ask(name, 'm0', 'late')
  for (const eyes of ['all', new Set(names.map(id)), new Set(['m0', 'm7', 'm9'].map(id))] as Eyes[]) {
    const whole = list(eyes, 1000).map(formatPlace)
    expect(new Set(whole).size).toBe(whole.length)
    const paged: string[] = []
    for (let before: ConversationPlace | undefined; ; ) {
      const page = list(eyes, limit, before)
      paged.push(...page.map(formatPlace))
      if (page.length < limit) break
      before = parsePlace(formatPlace(page.at(-1)!))
    }
    expect(paged).toEqual(whole)
  }
})

test.each(['never', 'at once'])('unread messages and unanswered questions are counted by partner; indexed %s', when => {
  const { made, id, list, ask, index } = store(['ana', 'ben', 'cat'])
  made.member('sean', 'human')
  made.do({ type: 'member.own', name: 'ben', owner: 'sean' })
  const sean = made.state.db.get<{ id: number }>("select id from member where name = 'sean'")!.id
  const counts = (name: string) =>
    list(new Set([id(name)])).map(({ with: other, unread, openQuestions }) => [other, unread, openQuestions])
  const then = () => when === 'at once' && index()
  const toBen = ask('ana', 'ben', 'first?')
  ask('ana', 'ben', 'second?')
  ask('cat', 'ben', 'told', undefined, { intent: 'inform' })
  then()
  expect(counts('ben')).toEqual([
    ['cat', 1, 0],
    ['ana', 2, 2],
  ])
  expect(counts('ana')).toEqual([['ben', 0, 2]])
  made.do({ type: 'inbox.ack', by: id('ben'), ids: [toBen] })
  expect(counts('ben')[1]).toEqual(['ana', 1, 2])
  ask('ben', 'ana', 'yes', toBen, { intent: 'inform' })
  then()
  expect(counts('ben')[0]).toEqual(['ana', 1, 1])
  expect(counts('ana')).toEqual([['ben', 1, 1]])

  // Its owner answers in its place.
  const more = ask('ana', 'ben', 'third?')
  then()
  expect(counts('ana')[0]).toEqual(['ben', 1, 2])
  const answer = {
    type: 'message.send' as const,
    id: newMessageId(),
    by: sean,
    to: ['ana'],
    body: 'yes',
    replyTo: more,
  }
  made.do({ ...answer, intent: 'inform', mustKnowReply: true, answersFor: id('ben') })
  then()
  expect(counts('ana')).toContainEqual(['ben', 1, 1])
  made.time += 31 * 86_400_000
  expect(counts('ana')).toContainEqual(['ben', 1, 0])
})

test('the migration builds the same index of conversations as the entries do', async () => {
  const { made, ask, index } = store(['ana', 'ben', 'cat'])
  ask('ana', 'ben', 'one')
  ask('ben', 'all', 'two')
  ask('cat', 'cat', 'three')
  index()
  const { db } = made.state
  const rows = () => db.all('select * from conversation order by member, other, crowd')
  const known = rows()
  expect(known.length).toBeGreaterThan(4)
  db.execute('drop table conversation')
  const { sql } = await import('../store/migrations/0024-conversations.ts')
  db.execute(sql)
  expect(rows()).toEqual(known)
})
