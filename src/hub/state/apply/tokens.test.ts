import { expect, test } from 'vitest'
import { TestState } from '../../../../test/support/test-state.ts'
import { hashJoinCode } from '../../../protocol/join-code.ts'
import { hashToken, mintToken, parseToken } from '../../../protocol/token.ts'
import { endedByAge, endedTokenById, nextDue, tokenById, tokensByMember } from '../query/members.ts'

const hour = 3_600_000
const day = 24 * hour

/** The token that `token` is replaced by when its machine renews it now. */
function renew(made: TestState, by: number, token: string, next = mintToken('machine')) {
  const outcome = made.apply({
    ...{ type: 'token.renew', by, tokenId: parseToken(token)!.id, newId: parseToken(next)!.id },
    ...{ newHash: hashToken(next).toString('base64'), overlapS: 24 * 3600, atMost: 4 },
  })
  return { next, outcome, code: outcome.ok ? 'ok' : outcome.refusal.code }
}

const find = (made: TestState, token: string) => tokenById(made.state.db, parseToken(token)!.id)

test('a limit counts from when it was set; old tokens are to be renewed at once, new ones after half of it', () => {
  const made = new TestState()
  const old = made.joined('old').token
  made.time += 400 * day
  const young = made.joined('young').token
  made.time += 5 * day
  const now = made.time
  made.do({ type: 'token.limit', days: 30 })
  expect(find(made, old)).toMatchObject({ renewFrom: now, limit: now + 30 * day })
  expect(find(made, young)).toMatchObject({ renewFrom: now + 10 * day, limit: now + 30 * day })
  made.time += day
  expect(find(made, made.joined('new').token)).toMatchObject({ renewFrom: now + 16 * day, limit: now + 31 * day })
  // Setting the same limit again changes nothing; 0 removes it.
  made.do({ type: 'token.limit', days: 30 })
  expect(find(made, old)).toMatchObject({ limit: now + 30 * day })
  expect(nextDue(made.state.db)).toBe(now + 30 * day)
  made.do({ type: 'token.limit', days: 0 })
  expect(find(made, old)).toMatchObject({ renewFrom: null, limit: null })
})

test('a renewed token stays valid for the overlap, and repeating the renewal with either token changes nothing', () => {
  const made = new TestState()
  const { id, token } = made.joined('sean')
  made.do({ type: 'token.limit', days: 30 })
  made.time += 20 * day
  const { next, outcome } = renew(made, id, token)
  expect(outcome).toMatchObject({ ok: true, result: { goesOnUntil: made.time + day } })
  made.time += hour
  expect(renew(made, id, token, next).outcome).toMatchObject({
    ok: true,
    result: { goesOnUntil: made.time - hour + day },
  })
  expect(renew(made, id, next, next).outcome).toMatchObject({ ok: true, result: { goesOnUntil: null } })
  // Only one renewal: a copy of the old one gets no token of its own.
  expect(renew(made, id, token).code).toBe('conflict')
  expect(
    tokensByMember(made.state.db)
      .get(id)
      ?.map(each => each.id),
  ).toEqual([token, next].map(each => parseToken(each)!.id))
  made.time += day
  expect(made.apply({ type: 'clock.tick' })).toMatchObject({ effects: { revoked: [parseToken(token)!.id] } })
  expect(find(made, token)).toBeUndefined()
  expect(endedTokenById(made.state.db, parseToken(token)!.id)).toMatchObject({ why: 'renewed', name: 'sean' })
  expect(renew(made, id, next, next).code).toBe('ok')
})

test('the overlap ends at the limit, and a token that reached its limit is recorded', () => {
  const made = new TestState()
  const [{ id, token }, late] = [made.joined('sean'), made.joined('late')]
  made.do({ type: 'token.limit', days: 30 })
  made.time += 30 * day - hour
  expect(renew(made, id, token).outcome).toMatchObject({ result: { goesOnUntil: made.time + hour } })
  made.time += hour
  made.do({ type: 'clock.tick' })
  expect(endedByAge(made.state.db)).toEqual(new Map([[late.id, made.time]]))
  expect(endedTokenById(made.state.db, parseToken(late.token)!.id)).toMatchObject({ why: 'age', name: 'late' })
  expect(endedTokenById(made.state.db, parseToken(token)!.id)).toMatchObject({ why: 'renewed' })
  expect(renew(made, late.id, late.token).code).toBe('unauthorized')
  made.do({ type: 'member.revoke', name: 'late' })
  expect(endedTokenById(made.state.db, parseToken(late.token)!.id)).toBeUndefined()
})

test('a member cannot renew the token of another, reuse its id, or hold more than a few tokens', () => {
  const made = new TestState()
  const [one, two] = [made.joined('one'), made.joined('two')]
  expect(renew(made, two.id, one.token).code).toBe('unauthorized')
  expect(renew(made, one.id, one.token, two.token).code).toBe('conflict')
  let token = one.token
  const codes = Array.from({ length: 6 }, () => {
    const { next, code } = renew(made, one.id, token)
    if (code === 'ok') token = next
    return code
  })
  expect(codes).toEqual(['ok', 'ok', 'ok', 'ok', 'rate_limited', 'rate_limited'])
})

test('the records of ended tokens are bounded, and setting the wall clock ends no token', () => {
  const made = new TestState()
  let { id, token } = made.joined('sean')
  made.do({ type: 'token.limit', days: 30 })
  for (let n = 0; n < 12; n++) {
    made.time += 20 * day
    token = renew(made, id, token).next
    made.time += 2 * day
    made.do({ type: 'clock.tick' })
  }
  expect(made.state.db.get('select count(*) as n from ended_token')).toEqual({ n: 8 })
  made.clockOffset = 1000 * day
  made.time += 1000 * day
  made.do({ type: 'clock.tick' })
  expect(find(made, token)).toBeDefined()
})

test('joining again ends the previous tokens after their overlap, and the new one has the whole limit', () => {
  const made = new TestState()
  const { id, token } = made.joined('sean')
  made.do({ type: 'token.limit', days: 10 })
  made.time += 9 * day
  const again = mintToken('machine')
  const codeHash = hashJoinCode('again').toString('base64')
  made.do({ type: 'member.invite', name: 'sean', kind: 'machine', codeHash, lifeS: 600, overlapS: 600 })
  made.do({
    ...{ type: 'member.join', name: 'sean', codeHash, role: 'machine' },
    ...{ tokenId: parseToken(again)!.id, tokenHash: hashToken(again).toString('base64') },
  })
  expect(renew(made, id, token).code).toBe('conflict')
  made.time += hour
  made.do({ type: 'clock.tick' })
  expect(find(made, token)).toBeUndefined()
  expect(endedTokenById(made.state.db, parseToken(token)!.id)).toBeUndefined()
  expect(find(made, again)).toMatchObject({ limit: made.time - hour + 10 * day })
})

test('a binding belongs to the member: a renewed token has it too', () => {
  const made = new TestState()
  const { id, token } = made.joined('sean')
  made.do({ type: 'alias.set', alias: 'boss', member: 'sean' })
  const bound = made.apply({ type: 'member.bind', name: 'boss', ranges: ['10.0.3.0/24', '10.0.3.0/24', 'fd00::/8'] })
  expect(bound).toMatchObject({
    result: { name: 'sean', ranges: ['10.0.3.0/24', 'fd00::/8'] },
    effects: { revoked: [parseToken(token)!.id] },
  })
  expect(find(made, renew(made, id, token).next)?.boundTo).toBe('["10.0.3.0/24","fd00::/8"]')
  made.do({ type: 'member.bind', name: 'sean', ranges: [] })
  expect(find(made, token)?.boundTo).toBeNull()
  expect(made.apply({ type: 'member.bind', name: 'seen', ranges: [] })).toMatchObject({
    refusal: { code: 'not_found' },
  })
})
