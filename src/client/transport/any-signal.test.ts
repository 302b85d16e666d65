import { afterEach, expect, test, vi } from 'vitest'
import { anySignal } from './any-signal.ts'

afterEach(() => vi.unstubAllGlobals())

test.each(['with', 'without'])('it aborts with the first of its signals, %s AbortSignal.any', kind => {
  // Node before 20.3.
  if (kind === 'without') vi.stubGlobal('AbortSignal', { any: undefined })
  const [one, other] = [new AbortController(), new AbortController()]
  const either = anySignal([one.signal, other.signal])
  expect(either.aborted).toBe(false)
  other.abort('second')
  expect([either.aborted, either.reason]).toEqual([true, 'second'])
  expect(anySignal([one.signal, other.signal]).reason).toBe('second')
})
