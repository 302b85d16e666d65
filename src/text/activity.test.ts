import { expect, test } from 'vitest'
import { sessionInWords } from './activity.ts'

const now = Date.parse('2026-01-01T12:00:00.000Z')
const ago = (minutes: number) => new Date(now - minutes * 60_000).toISOString()

test('a session is described in one line: its place, its activity and since when, its status and the age of that', () => {
  const said = { status: 'the invoices', statusSetAt: ago(20) }
  expect(sessionInWords({ project: 'billing', branch: 'main', busySince: ago(3), ...said }, now)).toBe(
    'billing on main: busy for 3 min; said 20 min ago: > the invoices',
  )
  expect(sessionInWords({ commit: '1a2b3c4', idleSince: ago(180) }, now)).toBe('detached at 1a2b3c4: idle for 3 h')
  expect(sessionInWords({ idleSince: ago(5), prompt: { tool: 'Bash', since: ago(5) } }, now)).toBe(
    'waits at a permission prompt (Bash) for 5 min',
  )
  expect(sessionInWords({ status: 'x' }, now)).toBe('said > x')
  expect(sessionInWords({ branch: 'main' }, now)).toBe('on main')
  expect(sessionInWords({}, now)).toBe('')
})

test('times in the future count as now, and hostile values stay within one line', () => {
  expect(sessionInWords({ busySince: ago(-60), status: 'x', statusSetAt: ago(-60) }, now)).toBe(
    'busy for 0 s; said just now: > x',
  )
  const hostile = `a\n- b\u202e\u0007${'c'.repeat(200)}`
  const text = sessionInWords(
    { project: hostile, branch: hostile, status: hostile, prompt: { tool: hostile, since: ago(1) } },
    now,
  )
  expect(text).not.toMatch(/[\n\u202e\u0007]/)
  expect(text.length).toBeLessThan(500)
})
