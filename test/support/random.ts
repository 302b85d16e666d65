/** A reproducible random generator: mulberry32, numbers from 0 up to but not including 1. */
export type Random = () => number

/** Returns `CLAUDE_NET_SEED`, or a new seed for each run. Prints it, so that a failure can be reproduced. */
export function printedSeed(): number {
  const seed = Number(process.env.CLAUDE_NET_SEED ?? Math.floor(Math.random() * 2 ** 32))
  console.log(`CLAUDE_NET_SEED=${seed}`)
  return seed
}

export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let value = Math.imul(state ^ (state >>> 15), state | 1)
    value ^= value + Math.imul(value ^ (value >>> 7), value | 61)
    return ((value ^ (value >>> 14)) >>> 0) / 2 ** 32
  }
}
