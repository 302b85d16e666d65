import { version } from '../../protocol/version.ts'
import type { Handlers } from './handler.ts'

/** `GET /healthz`. */
export const health: Handlers['health'] = () => ({ ok: true, program: 'claude-net', version })

/**
 * `GET /readyz`: proves it by a durable write. However often it is asked, the disk is written at most once a second: this
 * route is open to all.
 */
export function readiness(): Handlers['ready'] {
  let startedAt = -Infinity
  let probe: Promise<unknown> = Promise.resolve()
  return async ({ hub }) => {
    const now = performance.now()
    if (now - startedAt > 1000) {
      startedAt = now
      probe = hub.submit({ type: 'clock.tick' })
    }
    await probe
    return { ready: true }
  }
}
