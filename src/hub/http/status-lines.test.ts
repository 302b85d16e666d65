import { expect, test } from 'vitest'
import { StatusLines } from './status-lines.ts'

test('a line is shown for a day, an empty one removes it, and the oldest is evicted when there are too many', () => {
  const lines = new StatusLines()
  lines.set('one', 'the invoices', 1000)
  expect(lines.of('one', 1000 + 24 * 3600_000)).toEqual({ status: 'the invoices', statusSetAt: 1000 })
  expect(lines.of('one', 1001 + 24 * 3600_000)).toBeUndefined()
  lines.set('one', 'again', 2000)
  lines.set('one', '', 3000)
  expect(lines.of('one', 3000)).toBeUndefined()
  lines.set('first', 'x', 4000)
  for (let n = 0; n < 10_000; n++) lines.set(`s${n}`, 'y', 4000)
  expect([lines.of('first', 4000), lines.of('s9999', 4000)?.status]).toEqual([undefined, 'y'])
})
