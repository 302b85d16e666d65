import { expect, test } from 'vitest'
import { TestState } from '../../../../test/support/test-state.ts'
import { hashConsoleSecret } from '../../../protocol/console-secret.ts'
import { consoleSessionById, consoleSessions, isConsoleLink, openConsoleLink } from '../query/console.ts'
import { nextDue } from '../query/members.ts'
import { limits } from './limits.ts'

const minute = 60_000
const hour = 60 * minute

const hash = (secret: string) => hashConsoleSecret(secret).toString('base64')

const link = (made: TestState, member: number, secret: string) =>
  made.apply({ type: 'console.link', member, via: 'here', hash: hash(secret), lifeS: 600 })

/** Logs in with a link; returns `ok`, or the code of the refusal. */
function open(made: TestState, secret: string, id: string, replaces: string[] = []): string {
  const outcome = made.apply({
    ...{
      type: 'console.open',
      linkHash: hash(secret),
      id,
      lifeS: 12 * 3600,
      address: '10.0.3.9',
      browser: 'a program',
    },
    ...{ cookieHash: hash(`cookie ${id}`), tabHash: hash(`tab ${id}`), replaces },
  })
  return outcome.ok ? 'ok' : outcome.refusal.why.code
}

const ids = (made: TestState, member?: number) => consoleSessions(made.state.db, member).map(({ id }) => id)

test('a link can be used once, within 10 minutes of steady time, whatever the wall clock shows', () => {
  const made = new TestState()
  const sean = made.member('sean', 'human')
  for (const secret of ['one', 'two', 'late']) link(made, sean, secret)
  expect(open(made, 'one', 'aaaaaaaa')).toBe('ok')
  expect(open(made, 'one', 'bbbbbbbb')).toBe('link_used')
  expect(open(made, 'none', 'bbbbbbbb')).toBe('link_unknown')
  // The clock is set ahead by a day, and no time has passed.
  made.time += 24 * hour
  made.clockOffset += 24 * hour
  expect(open(made, 'two', 'bbbbbbbb')).toBe('ok')
  made.time += 10 * minute
  expect(openConsoleLink(made.state.db, hashConsoleSecret('late'), made.time - made.clockOffset)).toBe(undefined)
  expect(open(made, 'late', 'cccccccc')).toBe('link_unknown')
  expect(ids(made)).toEqual(['bbbbbbbb', 'aaaaaaaa'])
})

test('a session is ended by a tick after 12 hours, which its use does not extend', () => {
  const made = new TestState()
  const sean = made.member('sean', 'human')
  const start = made.time
  link(made, sean, 'one')
  open(made, 'one', 'aaaaaaaa')
  expect(nextDue(made.state.db)).toBe(start + 10 * minute)
  made.time += 11 * minute
  made.do({ type: 'clock.tick' })
  expect(isConsoleLink(made.state.db, hashConsoleSecret('one'))).toBe(false)
  expect(nextDue(made.state.db)).toBe(start + 12 * hour)
  made.time = start + 12 * hour - 1
  expect(made.apply({ type: 'clock.tick' })).toMatchObject({ effects: { revoked: [] } })
  made.time = start + 12 * hour
  expect(made.apply({ type: 'clock.tick' })).toMatchObject({ effects: { revoked: ['console-aaaaaaaa'] } })
  expect(consoleSessionById(made.state.db, 'aaaaaaaa')).toBe(undefined)
  expect(nextDue(made.state.db)).toBe(undefined)
})

test('the links and sessions of one member are bounded; the oldest are evicted, those of others stay', () => {
  const made = new TestState()
  const [sean, jaz] = [made.member('sean', 'human'), made.member('jaz', 'human')]
  link(made, jaz, 'of jaz')
  open(made, 'of jaz', 'jazjazja')
  const total = limits.sessionsPerMember + 2
  const names = Array.from({ length: total }, (_, n) => `session${String.fromCharCode(97 + n)}`)
  for (const name of names) {
    link(made, sean, name)
    expect(open(made, name, name)).toBe('ok')
    made.time += 1000
  }
  expect(ids(made, sean)).toEqual(names.slice(2).reverse())
  expect(ids(made, jaz)).toEqual(['jazjazja'])

  for (let n = 0; n <= limits.linksPerMember; n++) {
    link(made, sean, `link ${n}`)
    made.time += 1000
  }
  expect(open(made, 'link 0', 'link0000')).toBe('link_unknown')
  expect(open(made, 'link 1', 'link0001')).toBe('ok')
  // All at the same time: the newest one is never evicted.
  for (let n = 0; n <= 2 * limits.linksPerMember; n++) {
    link(made, jaz, `at once ${n}`)
    expect(isConsoleLink(made.state.db, hashConsoleSecret(`at once ${n}`))).toBe(true)
  }
})

test('the admin has its own sessions, and a deleted member gets none', () => {
  const made = new TestState()
  const sean = made.member('sean', 'human')
  link(made, 0, 'admin')
  link(made, sean, 'sean')
  expect(open(made, 'admin', 'aaaaaaaa')).toBe('ok')
  expect(consoleSessionById(made.state.db, 'aaaaaaaa')).toMatchObject({ member: 0, name: 'admin', role: 'admin' })
  made.do({ type: 'member.delete', name: 'sean' })
  expect(open(made, 'sean', 'bbbbbbbb')).toBe('link_unknown')
  expect(link(made, sean, 'again')).toMatchObject({ ok: false, refusal: { why: { code: 'member_gone' } } })
  expect(link(made, 99, 'nobody')).toMatchObject({ ok: false })
  // A refused login does not use up the link.
  link(made, 0, 'second')
  expect(made.apply({ type: 'console.close', ids: ['aaaaaaaa', 'zzzzzzzz'] })).toMatchObject({
    ok: true,
    result: { closed: ['aaaaaaaa'] },
    effects: { revoked: ['console-aaaaaaaa'] },
  })
  expect(open(made, 'second', 'cccccccc', ['aaaaaaaa'])).toBe('ok')
})
