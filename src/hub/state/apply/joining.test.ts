import { describe, expect, test } from 'vitest'
import { TestState } from '../../../../test/support/test-state.ts'
import { hashJoinCode } from '../../../protocol/join-code.ts'
import { hashToken } from '../../../protocol/token.ts'
import type { CommandOf } from '../commands.ts'
import { allMembers, openInvite, tokenById } from '../query/members.ts'

const invite = (name: string, code: string, lifeS = 600): CommandOf<'member.invite'> => ({
  type: 'member.invite',
  name,
  kind: 'machine',
  codeHash: hashJoinCode(code).toString('base64'),
  lifeS,
})
const join = (name: string, code: string, token: string): CommandOf<'member.join'> => ({
  type: 'member.join',
  name,
  codeHash: hashJoinCode(code).toString('base64'),
  tokenId: token,
  tokenHash: hashToken(token).toString('base64'),
  role: 'machine',
})

describe('a join code', () => {
  test('is valid until it expires, to the millisecond', () => {
    const made = new TestState()
    made.do(invite('ana', 'A'))
    made.do(invite('ben', 'B'))
    made.time += 599_999
    expect(openInvite(made.state.db, hashJoinCode('A'), made.time)).toEqual({
      name: 'ana',
      kind: 'machine',
      boundTo: null,
    })
    made.do(join('ana', 'A', 'token-a'))
    made.time += 1
    expect(openInvite(made.state.db, hashJoinCode('B'), made.time)).toBeUndefined()
    expect(made.apply(join('ben', 'B', 'token-b'))).toMatchObject({ ok: false, refusal: { code: 'unauthorized' } })
    expect(tokenById(made.state.db, 'token-b')).toBeUndefined()
  })

  test('that was used returns the first outcome to a repeated join until it expires', () => {
    const made = new TestState()
    made.do(invite('ana', 'A'))
    made.do(join('ana', 'A', 'token-a'))
    made.time += 599_999
    expect(made.do(join('ana', 'A', 'token-a'))).toEqual({ name: 'ana', kind: 'machine' })
    made.time += 1
    expect(made.apply(join('ana', 'A', 'token-a'))).toMatchObject({ refusal: { code: 'unauthorized' } })
    // The token itself has no end.
    expect(tokenById(made.state.db, 'token-a')).toMatchObject({ name: 'ana', role: 'machine' })
  })

  test('is invalid once its token has been replaced', () => {
    const made = new TestState()
    made.do(invite('ana', 'A'))
    made.do(join('ana', 'A', 'token-1'))
    made.do(invite('ana', 'A2'))
    made.do(join('ana', 'A2', 'token-2'))
    expect(made.apply(join('ana', 'A', 'token-1'))).toMatchObject({ refusal: { code: 'unauthorized' } })
    expect(tokenById(made.state.db, 'token-1')).toBeUndefined()
    expect(tokenById(made.state.db, 'token-2')).toMatchObject({ name: 'ana' })
  })

  test('is stored as a hash, and so is the token', () => {
    const made = new TestState()
    made.do(invite('ana', 'SECRET-CODE'))
    made.do(join('ana', 'SECRET-CODE', 'public-id'))
    const rows = JSON.stringify([made.state.db.all('select * from invite'), made.state.db.all('select * from token')])
    expect(rows).not.toContain('SECRET-CODE')
  })

  test('that has expired is deleted with the next invitation', () => {
    const made = new TestState()
    for (const name of ['ana', 'ben', 'cat']) made.do(invite(name, name))
    made.do(join('cat', 'cat', 'token-c'))
    made.time += 600_000
    made.do(invite('dan', 'D'))
    expect(made.state.db.get('select count(*) as n from invite')).toEqual({ n: 1 })
  })
})

describe('joining', () => {
  test('again revokes the previous token, and reports it in the effects', () => {
    const made = new TestState()
    made.do(invite('ana', 'A'))
    expect(made.apply(join('ana', 'A', 'token-1'))).toMatchObject({ effects: { revoked: [] } })
    made.do(invite('ana', 'A2'))
    expect(made.apply(join('ana', 'A2', 'token-2'))).toMatchObject({ effects: { revoked: ['token-1'] } })
    expect(tokenById(made.state.db, 'token-1')).toBeUndefined()
  })

  test('with the public id of another member’s token is a conflict, and that token stays valid', () => {
    const made = new TestState()
    made.do(invite('ana', 'A'))
    made.do(invite('ben', 'B'))
    made.do(join('ana', 'A', 'same-id'))
    expect(made.apply({ ...join('ben', 'B', 'other'), tokenId: 'same-id' })).toMatchObject({
      refusal: { code: 'conflict' },
    })
    expect(tokenById(made.state.db, 'same-id')).toMatchObject({ name: 'ana' })
    // The code is still unused.
    expect(made.do(join('ben', 'B', 'token-b'))).toMatchObject({ name: 'ben' })
  })

  test('with the public id of the admin’s token is a conflict', () => {
    const made = new TestState()
    made.do({ type: 'admin.token', tokenId: 'admin-id', tokenHash: hashToken('admin').toString('base64') })
    made.do(invite('ana', 'A'))
    expect(made.apply({ ...join('ana', 'A', 'x'), tokenId: 'admin-id' })).toMatchObject({
      refusal: { code: 'conflict' },
    })
    expect(tokenById(made.state.db, 'admin-id')).toMatchObject({ role: 'admin', member: null })
  })
})

describe('inviting', () => {
  test('again without an owner keeps the previous one', () => {
    const made = new TestState()
    made.member('sean', 'human')
    made.do({ ...invite('ana', 'A'), owner: 'sean' })
    made.do(invite('ana', 'A2'))
    expect(allMembers(made.state.db).find(({ name }) => name === 'ana')).toMatchObject({ owner: 'sean' })
  })

  test('with an owner that is no human creates no member', () => {
    const made = new TestState()
    made.member('ben')
    for (const owner of ['ben', 'nobody']) {
      expect(made.apply({ ...invite('ana', 'A'), owner })).toMatchObject({ refusal: { code: 'not_found' } })
    }
    expect(allMembers(made.state.db).map(({ name }) => name)).toEqual(['ben'])
  })

  test('a human with an owner is refused, since humans have none', () => {
    const made = new TestState()
    made.member('sean', 'human')
    const command = { ...invite('jaz', 'A'), kind: 'human' as const, owner: 'sean' }
    expect(made.apply(command)).toMatchObject({ refusal: { code: 'invalid' } })
    expect(allMembers(made.state.db).map(({ name }) => name)).toEqual(['sean'])
  })
})

describe('adding', () => {
  const add = { type: 'member.add' as const, name: 'ana', kind: 'machine' as const }

  test('with an unknown owner creates no member', () => {
    const made = new TestState()
    expect(made.apply({ ...add, owner: 'nobody' })).toMatchObject({ refusal: { code: 'not_found' } })
    expect(made.apply({ ...add, kind: 'human', owner: null })).toMatchObject({ refusal: { code: 'invalid' } })
    expect(allMembers(made.state.db)).toEqual([])
  })

  test('sets the owner, keeps it if none is given, and removes it for null', () => {
    const made = new TestState()
    made.member('sean', 'human')
    const ownerAfter = (owner?: string | null) => {
      made.do({ ...add, owner })
      return allMembers(made.state.db).find(({ name }) => name === 'ana')!.owner
    }
    expect([ownerAfter('sean'), ownerAfter(), ownerAfter(null)]).toEqual(['sean', 'sean', null])
  })
})

test('a new admin token replaces the previous one; the tokens of members stay valid', () => {
  const made = new TestState()
  const admin = (id: string) => ({
    type: 'admin.token' as const,
    tokenId: id,
    tokenHash: hashToken(id).toString('base64'),
  })
  made.do(admin('first'))
  made.do(invite('ana', 'A'))
  made.do(join('ana', 'A', 'token-a'))
  expect(made.apply(admin('second'))).toMatchObject({ effects: { revoked: ['first'] } })
  expect(tokenById(made.state.db, 'first')).toBeUndefined()
  expect(tokenById(made.state.db, 'second')).toMatchObject({ role: 'admin' })
  expect(tokenById(made.state.db, 'token-a')).toMatchObject({ name: 'ana' })
})
