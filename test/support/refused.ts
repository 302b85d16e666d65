import { expect } from 'vitest'
import type { ErrorCode } from '../../src/protocol/errors.ts'
import type { TestHub } from './hub.ts'
import { errorOf, type RawAnswer, type RawRequest, raw } from './raw.ts'

/**
 * Makes `request` and expects that the hub refuses it with `code`, says something that matches `says`, helps, changes nothing
 * and goes on. Answers the answer, for what more there is to look at.
 */
export async function expectRefused(
  hub: TestHub,
  request: RawRequest,
  code: ErrorCode,
  says: RegExp,
): Promise<RawAnswer> {
  const before = await traces(hub)
  const answer = await raw(hub, request)
  const error = errorOf(answer)
  expect(error).toMatchObject({ code, message: expect.stringMatching(says) })
  expect(answer.status).toBeGreaterThanOrEqual(400)
  expect(answer.status).toBeLessThan(500)
  expect(answer.headers['content-type']).toMatch(/^application\/json/)
  expect(error.hint.length).toBeGreaterThan(5)
  // An error is for reading: it must not send back what was sent.
  expect(answer.text.length).toBeLessThan(2000)
  expect(await traces(hub)).toEqual(before)
  expect(await raw(hub, { path: '/readyz' })).toMatchObject({ status: 200, json: { ready: true } })
  return answer
}

/** Returns what a request could have changed: each member with its number of unread messages. The use of a token is no change. */
export async function traces(hub: TestHub): Promise<unknown> {
  const { text } = await raw(hub, { path: '/v1/admin/members', token: hub.adminToken })
  return JSON.parse(text, (key, value) => (key === 'lastUsedAt' ? undefined : value))
}
