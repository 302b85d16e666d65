import { expect } from 'vitest'
import type { ErrorCode } from '../../src/protocol/errors.ts'
import type { TestHub } from './hub.ts'
import { errorOf, type RawAnswer, type RawRequest, raw } from './raw.ts'

/**
 * Makes `request` and expects the hub to refuse it with `code`, a hint and a message that matches `says`, to change nothing and to stay
 * ready. Returns the response, for further checks.
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
  // An error must not send back what was sent.
  expect(answer.text.length).toBeLessThan(2000)
  expect(await traces(hub, before)).toEqual(before)
  expect(await raw(hub, { path: '/readyz' })).toMatchObject({ status: 200, json: { ready: true } })
  return answer
}

export interface Traces {
  /** Time at which they were first taken, in ms since 1970. */
  at: number
  members: unknown
}

/**
 * Returns what a request could have changed: each member with its number of unread messages, and the sessions that began since `before` was
 * taken. The use of a token does not count as a change, nor does the end of a session that was silent for too long.
 */
export async function traces(hub: TestHub, before?: Traces): Promise<Traces> {
  const at = before?.at ?? Date.now()
  const { text } = await raw(hub, { path: '/v1/admin/members', token: hub.adminToken })
  const members = JSON.parse(text, (key, value) => {
    if (key === 'lastUsedAt' || key === 'online') return undefined
    return key === 'sessions' ? value.filter(({ since }: { since: string }) => Date.parse(since) > at) : value
  })
  return { at, members }
}
