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
  const startedAt = performance.now()
  for (;;) {
    const answer = await claim()
    if (answer) return answer as Exclude<T, false | 0 | '' | null | undefined>
    const waitedMs = performance.now() - startedAt
    if (waitedMs > deadlineMs) throw new Error(`Waited ${deadlineMs} ms in vain for: ${what}`)
    // A claim that asks a hub costs both processes time, which what is waited for needs too.
    await delay(waitedMs < 200 ? 10 : 40)
  }
}
