import { setTimeout as delay } from 'node:timers/promises'

/**
 * Asks again and again until `claim` answers something true, and answers that. For what has no event to wait for.
 * Throws, naming `what`, when it does not come within `deadlineMs`.
 */
export async function until<T>(
  what: string,
  claim: () => T | Promise<T>,
  deadlineMs = 25_000,
): Promise<Exclude<T, false | 0 | '' | null | undefined>> {
  const giveUpAt = performance.now() + deadlineMs
  for (;;) {
    const answer = await claim()
    if (answer) return answer as Exclude<T, false | 0 | '' | null | undefined>
    if (performance.now() > giveUpAt) throw new Error(`Waited ${deadlineMs} ms in vain for: ${what}`)
    await delay(10)
  }
}
