import { expect, test } from 'vitest'
import { rangesIn } from './ranges.ts'

test('ranges are separated by commas or white space; `loopback` stands for its IPv4 and IPv6 ranges, `anywhere` for none', () => {
  expect(rangesIn(' 10.0.3.0/24,fd00::/8\n10.1.1.1 ')).toEqual(['10.0.3.0/24', 'fd00::/8', '10.1.1.1'])
  expect(rangesIn('loopback')).toEqual(['127.0.0.0/8', '::1/128'])
  expect(rangesIn('anywhere')).toEqual([])
  expect(rangesIn('')).toEqual([])
})
