import { setTimeout as delay } from 'node:timers/promises'
import { ClaudeNetError } from '../../protocol/errors.ts'

/**
 * Retries `work`, a submit to the hub, while the hub cannot write (a full disk), so that what Telegram has done is always recorded. Throws
 * any other error, and any error once `stop` aborts.
 */
export async function durably<T>(work: () => Promise<T>, retryMs: number, stop: AbortSignal): Promise<T> {
  for (;;) {
    try {
      return await work()
    } catch (error) {
      const passes = error instanceof ClaudeNetError && error.code === 'unavailable'
      if (!passes || stop.aborted) throw error
      await delay(retryMs, undefined, { signal: stop }).catch(() => {})
    }
  }
}
