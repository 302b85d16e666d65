import { expect, test } from 'vitest'
import type { Intent } from '../protocol/messages.ts'
import { burstMs, Ladder, quietMs, rungMs, stirMs } from './ladder.ts'
import type { Rung } from './live-sessions.ts'
import type { Mail } from './news.ts'

const idle: Rung[] = ['socket', 'rewake', 'channel']

function mail(id: string, intent: Intent = 'request'): Mail {
  return { kind: 'mail', id, seq: 1, from: 'chasclaude', fromKind: 'machine', intent, sentAt: 0, beginning: id }
}

/** Takes the step that is due at `now`, and returns it as `rung: ids`. */
function step(ladder: Ladder, now: number, rungs = idle, isHeard: boolean | 'unknown' = true): string | undefined {
  const due = ladder.next(now, { rungs, isHeard: isHeard === 'unknown' ? undefined : isHeard })
  if (!due) return undefined
  ladder.took(due, now)
  return `${due.rung}: ${due.mail.map(({ id }) => id).join(' ')}`
}

test('without a fetch each rung is tried once, 30 s after the previous one', () => {
  const ladder = new Ladder()
  const view = { rungs: idle, isHeard: true }
  ladder.offer(mail('a'), 0)
  expect(step(ladder, quietMs - 1)).toBe(undefined)
  expect(step(ladder, quietMs)).toBe('socket: a')
  expect(step(ladder, quietMs + rungMs - 1)).toBe(undefined)
  expect(step(ladder, quietMs + rungMs)).toBe('rewake: a')
  expect(step(ladder, quietMs + 2 * rungMs)).toBe('channel: a')
  expect(ladder.spent(quietMs + 3 * rungMs - 1, view)).toEqual([])
  expect(ladder.spent(quietMs + 3 * rungMs, view)).toEqual(['a'])
  expect(step(ladder, quietMs + 99 * rungMs)).toBe(undefined)
  expect(ladder.settle('a')).toBe('channel')
})

test('if the session shows no activity after a rung, the next follows at once', () => {
  const ladder = new Ladder()
  const view = { rungs: idle, isHeard: false }
  ladder.offer(mail('a'), 0)
  expect(step(ladder, quietMs)).toBe('socket: a')
  expect(step(ladder, quietMs + stirMs - 1, idle, false)).toBe(undefined)
  expect(step(ladder, quietMs + stirMs, idle, false)).toBe('rewake: a')
  expect(step(ladder, quietMs + 2 * stirMs, idle, false)).toBe('channel: a')
  expect(ladder.spent(quietMs + 3 * stirMs, view)).toEqual(['a'])
})

test.for([
  ['request', rungMs],
  ['urgent', stirMs],
] as const)(
  'if it is unknown whether a wake reached the session, the next rung for a message (%s) follows after %d ms',
  ([intent, ms]) => {
    const ladder = new Ladder()
    ladder.offer(mail('a', intent), -burstMs)
    expect(step(ladder, 0, ['hooks', ...idle], 'unknown')).toBe('hooks: a')
    expect(step(ladder, ms - 1, ['hooks', ...idle], 'unknown')).toBe(undefined)
    expect(step(ladder, ms, ['hooks', ...idle], 'unknown')).toBe('socket: a')
  },
)

test('a fetch ends the climb, and the rung that announced the message is returned', () => {
  const ladder = new Ladder()
  ladder.offer(mail('a'), 0)
  step(ladder, burstMs)
  expect(ladder.settle('a')).toBe('socket')
  expect(step(ladder, burstMs + rungMs)).toBe(undefined)
})

test('a burst causes one step, taken when it ends or has lasted too long', () => {
  const ladder = new Ladder()
  const sentAt = [0, 100, 200, 300]
  for (const at of sentAt) {
    expect(step(ladder, at)).toBe(undefined)
    ladder.offer(mail(String(at)), at)
  }
  expect(step(ladder, 300 + quietMs - 1)).toBe(undefined)
  expect(step(ladder, 300 + quietMs)).toBe('socket: 0 100 200 300')

  const endless = new Ladder()
  for (let at = 0; at < burstMs; at += quietMs / 2) endless.offer(mail(String(at)), at)
  expect(step(endless, burstMs - 1)).toBe(undefined)
  expect(step(endless, burstMs)).toMatch(/^socket: 0 /)
})

test('messages that arrive while the session may be fetching wait for its fetch', () => {
  const ladder = new Ladder()
  ladder.offer(mail('a'), 0)
  ladder.offer(mail('b'), 0)
  expect(step(ladder, burstMs)).toBe('socket: a b')
  ladder.offer(mail('c'), burstMs + 1)
  expect(step(ladder, burstMs + rungMs - 1)).toBe(undefined)
  ladder.settle('a')
  expect(step(ladder, burstMs + rungMs - 1)).toBe(undefined)
  ladder.settle('b')
  expect(step(ladder, burstMs + rungMs - 1)).toBe('socket: c')
})

test('an urgent message does not wait for a session that does not fetch what it was woken for', () => {
  const ladder = new Ladder()
  ladder.offer(mail('a'), 0)
  expect(step(ladder, burstMs)).toBe('socket: a')
  ladder.offer(mail('b', 'urgent'), burstMs + 1)
  expect(step(ladder, burstMs + stirMs - 1)).toBe(undefined)
  expect(step(ladder, burstMs + stirMs)).toBe('socket: b')
})

test('an inform never wakes; an urgent message wakes without waiting for a burst to end', () => {
  const ladder = new Ladder()
  ladder.offer(mail('a', 'inform'), 0)
  expect(step(ladder, 1e9)).toBe(undefined)
  ladder.offer(mail('b', 'urgent'), 1e9)
  expect(step(ladder, 1e9)).toBe('socket: b')
})

test('a busy session is first left to its hooks, and woken later if its turn was interrupted', () => {
  const ladder = new Ladder()
  ladder.offer(mail('a'), 0)
  expect(step(ladder, burstMs, ['hooks', ...idle])).toBe('hooks: a')
  expect(step(ladder, burstMs + rungMs, ['hooks', ...idle])).toBe('socket: a')
})

test('a rung that cannot be used is skipped', () => {
  const ladder = new Ladder()
  ladder.offer(mail('a'), 0)
  expect(step(ladder, burstMs, ['rewake', 'channel'])).toBe('rewake: a')
  expect(step(ladder, burstMs + rungMs, ['rewake'])).toBe(undefined)
})
