import { setTimeout as delay } from 'node:timers/promises'
import { ClaudeNetError } from '../../protocol/errors.ts'

/**
 * Does `work`, a submit to the hub, again and again while the hub cannot write (a full disk): what Telegram has done must not be
 * forgotten for that. Throws whatever else goes wrong, and once `stop` aborts.
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
