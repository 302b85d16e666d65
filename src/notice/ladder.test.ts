import { expect, test } from 'vitest'
import type { Intent } from '../protocol/messages.ts'
import { burstMs, Ladder, rungMs } from './ladder.ts'
import type { Rung } from './live-sessions.ts'
import type { Mail } from './news.ts'

const idle: Rung[] = ['socket', 'rewake', 'channel']

function mail(id: string, intent: Intent = 'request'): Mail {
  return { kind: 'mail', id, seq: 1, from: 'chasclaude', fromKind: 'machine', intent, sentAt: 0, beginning: id }
}

/** Takes the step that is due at `now`, and answers it as `rung: ids`. */
function step(ladder: Ladder, now: number, rungs = idle): string | undefined {
  const due = ladder.next(now, rungs)
  if (!due) return undefined
  ladder.took(due, now)
  return `${due.rung}: ${due.mail.map(({ id }) => id).join(' ')}`
}

test('without a fetch each rung is tried once, 30 s after the one before, then no more', () => {
  const ladder = new Ladder()
  ladder.offer(mail('a'), 0)
  expect(step(ladder, burstMs - 1)).toBe(undefined)
  expect(step(ladder, burstMs)).toBe('socket: a')
  expect(step(ladder, burstMs + rungMs - 1)).toBe(undefined)
  expect(step(ladder, burstMs + rungMs)).toBe('rewake: a')
  expect(step(ladder, burstMs + 2 * rungMs)).toBe('channel: a')
  expect(ladder.spent(burstMs + 3 * rungMs - 1, idle)).toEqual([])
  expect(ladder.spent(burstMs + 3 * rungMs, idle)).toEqual(['a'])
  expect(step(ladder, burstMs + 99 * rungMs)).toBe(undefined)
  expect(ladder.settle('a')).toBe('channel')
})

test('a fetch ends it, and names the rung that did it', () => {
  const ladder = new Ladder()
  ladder.offer(mail('a'), 0)
  step(ladder, burstMs)
  expect(ladder.settle('a')).toBe('socket')
  expect(step(ladder, burstMs + rungMs)).toBe(undefined)
})

test('a burst is one step; what comes while the session may be reading waits for that to end', () => {
  const ladder = new Ladder()
  ladder.offer(mail('a'), 0)
  ladder.offer(mail('b'), burstMs - 1)
  expect(step(ladder, burstMs)).toBe('socket: a b')
  ladder.offer(mail('c'), burstMs + 1)
  expect(step(ladder, burstMs + rungMs - 1)).toBe(undefined)
  ladder.settle('a')
  expect(step(ladder, burstMs + rungMs - 1)).toBe(undefined)
  ladder.settle('b')
  expect(step(ladder, burstMs + rungMs - 1)).toBe('socket: c')
})

test('an inform never wakes; something urgent is not gathered first', () => {
  const ladder = new Ladder()
  ladder.offer(mail('a', 'inform'), 0)
  expect(step(ladder, 1e9)).toBe(undefined)
  ladder.offer(mail('b', 'urgent'), 1e9)
  expect(step(ladder, 1e9)).toBe('socket: b')
})

test('a busy session is left to its hooks first, and a turn that was broken off is woken all the same', () => {
  const ladder = new Ladder()
  ladder.offer(mail('a'), 0)
  expect(step(ladder, burstMs, ['hooks', ...idle])).toBe('hooks: a')
  expect(step(ladder, burstMs + rungMs, ['hooks', ...idle])).toBe('socket: a')
})

test('a rung that cannot be used is left out', () => {
  const ladder = new Ladder()
  ladder.offer(mail('a'), 0)
  expect(step(ladder, burstMs, ['rewake', 'channel'])).toBe('rewake: a')
  expect(step(ladder, burstMs + rungMs, ['rewake'])).toBe(undefined)
})
