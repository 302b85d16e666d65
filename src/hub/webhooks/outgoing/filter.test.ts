import { describe, expect, test } from 'vitest'
import { TestState } from '../../../../test/support/test-state.ts'
import { newMessageId } from '../../../protocol/ids.ts'
import type { Command } from '../../state/commands.ts'
import { happeningsAfter } from '../../state/query/happenings.ts'
import { outgoingNamed, type StoredFilter } from '../../state/query/outgoing.ts'
import { formatFilter, meets, parseFilter } from './filter.ts'

describe('parseFilter', () => {
  test.each([
    ['to seanclaude', { event: 'message', to: 'seanclaude' }],
    ['  TO  @Sean/Web  AND intent URGENT ', { event: 'message', to: 'sean', project: 'web', intent: 'urgent' }],
    ['from hub and to ana', { event: 'message', from: 'hub', to: 'ana' }],
    ['expired', { event: 'expired' }],
    ['refused and from jaz', { event: 'refused', from: 'jaz' }],
    ['to ana and held', { event: 'message', to: 'ana', held: true }],
    ['any', { event: 'message' }],
  ])('%s', (typed, filter) => {
    expect(parseFilter(typed)).toEqual(filter)
  })

  test.each([
    ['for sean', /'for' is unknown/],
    ['to', /'to' takes one word/],
    ['to sean ana', /'to' takes one word/],
    ['expired sean', /'expired' takes no word/],
    ['to sean and to ana', /'to' is repeated/],
    ['expired and refused', /'refused' is repeated/],
    ['intent maybe', /'maybe' is not an intent/],
    ['to sean/', /'sean\/' is not a name/],
    ['to sean/a/b', /is not a name/],
    ['from jaz/web', /is not a name/],
    ['to ../etc', /is not a name/],
    ['any and to sean', /'any' stands alone/],
    ['held and expired', /a held message is never expired/],
    ['to sean and', /takes one word|is unknown/],
    ['and', /is unknown/],
    ['to sean or to ana', /'to' takes one word/],
    ['__proto__ x', /is unknown/],
  ])('refuses %j with the list of conditions', (typed, why) => {
    expect(() => parseFilter(typed)).toThrow(why)
    try {
      parseFilter(typed)
    } catch (error) {
      expect(error).toMatchObject({ code: 'invalid', hint: expect.stringMatching(/^There are: to NAME/) })
    }
  })
})

/** A history with three members and a group, and the events that filters match. */
function history() {
  const made = new TestState()
  const [jaz] = [made.member('jaz'), made.member('ana'), made.member('ben')]
  const apply = (command: Command) => {
    const outcome = made.apply(command)
    expect(outcome.ok).toBe(true)
    return outcome
  }
  apply({ type: 'group.set', group: 'backend', members: ['ana', 'ben'] })
  const send = (to: string[], more: object = {}) => {
    const id = newMessageId()
    apply({ type: 'message.send', id, by: jaz, to, body: 'hello', ...more })
    return id
  }
  const filterOf = (...on: string[]): StoredFilter[] => {
    const name = `w${newMessageId().slice(-8)}`
    apply({ type: 'outgoing.add', name, url: 'http://x/', on: on.map(parseFilter), secret: 's' })
    return JSON.parse(outgoingNamed(made.state.db, name)!.filters)
  }
  const wanted = (...on: string[]) => {
    const filters = filterOf(...on)
    const { db, position } = made.state
    const { found } = happeningsAfter(db, { seq: 0, part: 0 }, { newest: position.seq, limit: 100, withExpired: true })
    return found
      .filter(({ happening }) => filters.some(filter => meets(db, filter, happening)))
      .map(({ happening: { id } }) => id)
  }
  return { made, jaz, apply, send, wanted, filterOf }
}

test('a filter matches events that meet all of its conditions; several filters match what any of them does', () => {
  const { made, apply, send, wanted } = history()
  apply({ type: 'project.see', by: 2, project: 'web' })
  const toAna = send(['ana'])
  const urgent = send(['ben'], { intent: 'urgent' })
  const toWeb = send(['ana/web'], { intent: 'inform' })
  apply({ type: 'member.policy', by: 3, inbound: 'hold' })
  const held = send(['ben', 'ana'], { expiresInS: 60 })
  apply({ type: 'member.policy', by: 3, inbound: 'refuse' })
  const partly = send(['ben', 'ana'])
  made.time += 61_000
  apply({ type: 'clock.tick' })
  const messages = (...ids: string[]) => ids.map(id => `message_${id}`)
  expect(wanted('to ana')).toEqual(messages(toAna, toWeb, held, partly))
  expect(wanted('to ana/web')).toEqual(messages(toWeb))
  expect(wanted('to ben')).toEqual(messages(urgent, held))
  expect(wanted('to backend and intent urgent')).toEqual(messages(urgent))
  expect(wanted('intent inform', 'intent urgent')).toEqual(messages(urgent, toWeb))
  expect(wanted('from ana')).toEqual([])
  expect(wanted('from jaz')).toHaveLength(5)
  expect(wanted('any')).toHaveLength(5)
  expect(wanted('held')).toEqual(messages(held))
  expect(wanted('held and to ana')).toEqual([])
  expect(wanted('held and to ben')).toEqual(messages(held))
  expect(wanted('refused')).toEqual([`refused_${partly}`])
  expect(wanted('refused and to ana')).toEqual([])
  expect(wanted('expired and to ana')).toEqual([expect.stringMatching(`^expired_${held}_`)])
  expect(wanted('expired', 'held')).toHaveLength(2)
})

test('a filter follows a renamed member, and shows its current name', () => {
  const { made, apply, send, filterOf } = history()
  const [filter] = filterOf('to ana and from hub')
  apply({ type: 'member.rename', name: 'ana', to: 'anna' })
  send(['anna'])
  expect(formatFilter(made.state.db, filter!)).toBe('from hub and to anna')
})

test('events are read in order and exactly once with any page size, even several of one entry', () => {
  const { made, apply, send, jaz } = history()
  const sent = Array.from({ length: 7 }, () => send(['ana', 'ben'], { expiresInS: 60 }))
  made.time += 61_000
  apply({ type: 'clock.tick' })
  apply({ type: 'member.policy', by: 2, inbound: 'refuse' })
  apply({ type: 'message.send', id: newMessageId(), by: jaz, to: ['ana', 'ben'], body: 'x' })
  const { db, position } = made.state
  for (const limit of [1, 2, 3, 100]) {
    const ids: string[] = []
    let at = { seq: 0, part: 0 }
    for (let rounds = 0; at.seq < position.seq && rounds < 100; rounds++) {
      const { found, upTo } = happeningsAfter(db, at, { newest: position.seq, limit, withExpired: true })
      ids.push(...found.map(({ happening }) => happening.id))
      at = upTo
    }
    expect(ids).toHaveLength(7 + 7 + 2)
    expect(new Set(ids).size).toBe(16)
    expect(ids.slice(0, 7)).toEqual(sent.map(id => `message_${id}`))
    expect(ids.slice(7, 14).every((id, n) => id.startsWith(`expired_${sent[n]}_`))).toBe(true)
  }
})
