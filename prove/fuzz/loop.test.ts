import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { chanceOf } from '../sim/random.ts'
import { Coverage, holds } from './coverage.ts'
import { fuzz } from './loop.ts'
import { mutated } from './mutate.ts'
import { Broken, filledIn, holdsNoSecret, jsonOf, objectOf, type Target } from './target.ts'

/** A target that fails for an array under the key `b`. */
const faulty: Target = {
  name: 'none-such',
  what: 'a program with a fault',
  json: true,
  dictionary: ['a', 'b'],
  seeds: ['{"a":[1],"more":{"and":"more"}}'],
  open: async () => ({
    run: async input => {
      if (Array.isArray(objectOf(jsonOf(input)).b)) throw new Broken('a list behind b')
    },
    close: async () => {},
  }),
}

test('a fault is found, with a small input that shows it, and a seed gives the same inputs each time', async () => {
  const options = { seed: 1, rounds: 800, seconds: 60, keeps: false, say: () => {} }
  const [one, two] = [await fuzz(faulty, options), await fuzz(faulty, options)]
  expect(one.failures.map(({ what }) => what)).toEqual(['a list behind b'])
  expect(readFileSync(one.failures[0]!.file).byteLength).toBeLessThan(25)
  expect(two.digest).toBe(one.digest)
  expect((await fuzz(faulty, { ...options, seed: 2 })).digest).not.toBe(one.digest)
})

test('mutations keep their bound, and are of chance alone', () => {
  const material = { json: true, dictionary: ['a'], others: [Buffer.from('[1,2]')] }
  const inputs = (seed: number) => {
    const random = chanceOf(seed, 'mutations')
    let input: Buffer = Buffer.from('{"x":["a",{"y":null}]}')
    return Array.from({ length: 500 }, () => {
      input = mutated(random, input, material)
      return input
    })
  }
  expect(Math.max(...inputs(1).map(({ byteLength }) => byteLength))).toBeLessThanOrEqual(4096)
  expect(inputs(1)).toEqual(inputs(1))
  expect(new Set(inputs(1).map(String)).size).toBeGreaterThan(300)
})

test('what has run is told to the branch', async () => {
  const coverage = new Coverage('data:')
  try {
    const source = 'export function f(x) { if (x) { if (x > 1) { return 2 } return 1 } return 0 }'
    const { f } = (await import(`data:text/javascript,${encodeURIComponent(source)}`)) as { f: (x: number) => number }
    const ranWith = (x: number) => {
      coverage.take()
      f(x)
      return coverage.take()
    }
    const none = ranWith(0)
    coverage.note(none)
    expect(coverage.newIn(ranWith(0)).size).toBe(0)
    const fresh = coverage.newIn(ranWith(1))
    expect(fresh.size).toBe(1)
    expect([holds(ranWith(2), none), holds(ranWith(0), fresh), holds(ranWith(1), fresh)]).toEqual([false, false, true])
    coverage.note(ranWith(1))
    expect(coverage.newIn(ranWith(2)).size).toBe(1)
    expect(coverage.newIn(ranWith(1)).size).toBe(0)
  } finally {
    coverage.close()
  }
})

test('placeholders stand for what a small file cannot hold, and a secret in an answer is a broken promise', () => {
  const filled = filledIn({ $id: ['$long', '$other'] }, { $id: () => 'x' }) as { x: string[] }
  expect(filled.x[0]).toHaveLength(40_000)
  expect(filled.x[1]).toBe('$other')
  expect(() => holdsNoSecret('an answer', 'so it is: clnt_m_1', ['clnt_m_1'])).toThrow(Broken)
  expect(() => holdsNoSecret('an answer', 'nothing', ['clnt_m_1'])).not.toThrow()
})
