/** A seeded generator (mulberry32) of numbers from 0, inclusive, to 1, exclusive. */
export type Random = () => number

export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), state | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}

/** Returns a generator for one purpose, so that draws for other purposes do not change its sequence. */
export function chanceOf(seed: number, purpose: string): Random {
  let hash = seed >>> 0
  for (const character of purpose) hash = Math.imul(hash ^ character.codePointAt(0)!, 0x01000193) >>> 0
  return seededRandom(hash)
}

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)]!
}

export function between(random: Random, low: number, high: number): number {
  return low + random() * (high - low)
}
