import { setTimeout as delay } from 'node:timers/promises'

/**
 * Polls `claim` until it returns a truthy value, and returns that. For conditions that have no event. Throws, naming `what`, after
 * `deadlineMs`.
 */
export async function until<T>(
  what: string,
  claim: () => T | Promise<T>,
  deadlineMs = 90_000,
): Promise<Exclude<T, false | 0 | '' | null | undefined>> {
  const startedAt = performance.now()
  for (;;) {
    const answer = await claim()
    if (answer) return answer as Exclude<T, false | 0 | '' | null | undefined>
    const waitedMs = performance.now() - startedAt
    if (waitedMs > deadlineMs) throw new Error(`Waited ${deadlineMs} ms in vain for: ${what}`)
    // A claim that sends a request takes processor time from the work that is awaited.
    await delay(waitedMs < 200 ? 10 : waitedMs < 2000 ? 40 : 100)
  }
}
