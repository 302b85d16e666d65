import { setTimeout as delay } from 'node:timers/promises'
import { ownInterfaces } from './interfaces.ts'

/** Pauses before the second, third, … attempt, in ms: doubled from `first` to `last`, each shortened at random by up to half. */
const pauseMs = { first: 500, last: 30_000 }

/** Interval between checks for changes during a pause, in ms. */
const checkMs = 1000

/** Delay of a check, in ms, from which on the machine or this process is assumed to have slept. */
const sleepMs = 5000

/**
 * Waits before the next attempt after `failures` failed ones. Returns true early if the count should restart, since the machine has
 * slept or its addresses have changed. Returns false after the pause, or when `signal` aborts.
 */
export async function pauseAfter(failures: number, signal: AbortSignal): Promise<boolean> {
  const longest = Math.min(pauseMs.first * 2 ** (failures - 1), pauseMs.last)
  const addresses = ownAddresses()
  let left = longest * (1 - Math.random() / 2)
  while (left > 0 && !signal.aborted) {
    const step = Math.min(left, checkMs)
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
