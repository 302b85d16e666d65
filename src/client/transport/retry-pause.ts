import { setTimeout as delay } from 'node:timers/promises'
import { ownInterfaces } from './interfaces.ts'

/** Pauses before the second, third, … try, in ms: doubled from the first to the last, each shortened at random by up to half. */
const pauseMs = { first: 500, last: 30_000 }

/** How often a pause looks whether something has changed, in ms. */
const lookMs = 1000

/** A look that comes so much later than it should, in ms, comes after a sleep of the machine, or of this process. */
const sleepMs = 5000

/**
 * Waits before another try after `failures` that failed. Answers earlier, and true, when it is worth counting anew: the machine
 * has slept, or its addresses have changed. Answers also when `signal` aborts.
 */
export async function pauseAfter(failures: number, signal: AbortSignal): Promise<boolean> {
  const longest = Math.min(pauseMs.first * 2 ** (failures - 1), pauseMs.last)
  const addresses = ownAddresses()
  let left = longest * (1 - Math.random() / 2)
  while (left > 0 && !signal.aborted) {
    const step = Math.min(left, lookMs)
    const before = Date.now()
    await delay(step, undefined, { signal }).catch(() => {})
    if (Date.now() - before > step + sleepMs || ownAddresses() !== addresses) return true
    left -= step
  }
  return false
}

function ownAddresses(): string {
  return ownInterfaces()
    .map(({ address }) => address)
    .join()
}
