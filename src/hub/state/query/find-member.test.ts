import { describe, expect, test, vi } from 'vitest'
import { TestState } from '../../../../test/support/test-state.ts'
import { nearestNames, otherMachines, resolveNames } from './find-member.ts'

/** The members of a typical organization. */
function start() {
  const made = new TestState()
  for (const name of [
    'seanclaude',
    'jazclaude',
    'chasclaude',
    'infoclaude',
    'managerclaude',
    'laptopclaude',
    'serclaude',
  ]) {
    made.member(name)
  }
  for (const name of ['sean', 'jaz', 'chas']) made.member(name, 'human')
  return made.state.db
}

describe('the nearest names', () => {
  test.each([
    ['seanclade', 'seanclaude'],
    ['saenclaude', 'seanclaude'],
    ['seanclaudee', 'seanclaude'],
    ['SeanClade', 'seanclaude'],
    ['@jazclaud', 'jazclaude'],
    [' chascluade ', 'chasclaude'],
    ['managerclaud', 'managerclaude'],
    ['shean', 'sean'],
    ['jas', 'jaz'],
    ['laptop', 'laptopclaude'],
    ['info', 'infoclaude'],
    ['manager', 'managerclaude'],
  ])('for %j begin with %s', (typed, wanted) => {
    expect(nearestNames(start(), typed)[0]).toBe(wanted)
  })

  test.each(['zzzzzzzzzzzz', 'qwertyuiop', 'x', '', '@', 'всем', '👋'])(
    'for %j are none, since no name is similar',
    typed => {
      expect(nearestNames(start(), typed)).toEqual([])
    },
  )

  test('are at most three, and always the same', () => {
    const db = start()
    const names = nearestNames(db, 'claude')
    expect(names.length).toBeLessThanOrEqual(3)
    expect(nearestNames(db, 'claude')).toEqual(names)
  })

  test('are found for a name of any length', () => {
    expect(nearestNames(start(), 'seanclaude'.repeat(1000))).toEqual(expect.any(Array))
  })

  test('are none in an empty hub', () => {
    expect(nearestNames(new TestState().state.db, 'sean')).toEqual([])
  })
})

describe('names', () => {
  test('resolve to each member once, in the order named', () => {
    const db = start()
    const { members, unknown } = resolveNames(db, 1, ['jaz', 'SeanClaude', '@jaz', 'seanclaude', 'chas'])
    expect(members.map(({ name }) => name)).toEqual(['jaz', 'seanclaude', 'chas'])
    expect(unknown).toEqual([])
  })

  test('that are unknown are returned as typed', () => {
    expect(resolveNames(start(), 1, ['Nobody', 'sean', '@none'])).toMatchObject({
      members: [{ name: 'sean' }],
      unknown: ['Nobody', '@none'],
    })
  })

  test('resolve `all` to every machine but the sender, by name; further names are added', () => {
    const db = start()
    const all = otherMachines(db, 1).map(({ name }) => name)
    expect(all).toEqual(['chasclaude', 'infoclaude', 'jazclaude', 'laptopclaude', 'managerclaude', 'serclaude'])
    expect(resolveNames(db, 1, ['all', 'seanclaude']).members.map(({ name }) => name)).toEqual([...all, 'seanclaude'])
  })
})

test('`all` that is named a hundred times is resolved by one query', () => {
  const db = start()
  const rows = vi.spyOn(db, 'all')
  const { members, isCrowd } = resolveNames(db, 1, Array(100).fill('all').concat(Array(100).fill('@ALL ')))
  expect([members.length, isCrowd]).toEqual([6, true])
  expect(rows).toHaveBeenCalledTimes(1)
  expect(resolveNames(db, 1, ['nobody', 'nobody', 'Nobody']).unknown).toHaveLength(1)
})

test('groups are resolved together, each member once, at the place of the first group that contains it', () => {
  const made = new TestState()
  for (const name of ['ana', 'ben', 'cem', 'dora', 'eva']) made.member(name)
  made.do({ type: 'group.set', group: 'web', members: ['dora', 'ana', 'cem'] })
  made.do({ type: 'group.set', group: 'ops', members: ['cem', 'dora', 'ben'] })
  made.do({ type: 'group.set', group: 'none', members: [] })
  const { db } = made.state
  const rows = vi.spyOn(db, 'all')
  const { members, unknown, isCrowd } = resolveNames(db, 1, ['eva', '@Web', 'ben', 'ops', 'none', 'nobody'])
  expect(rows.mock.results.flatMap(({ value }) => value)).toHaveLength(3)
  expect(members.map(({ name }) => name)).toEqual(['eva', 'cem', 'dora', 'ben'])
  expect([unknown, isCrowd]).toEqual([['nobody'], true])
  expect(resolveNames(db, 1, ['none'])).toEqual({ members: [], unknown: [], isCrowd: true })
})
