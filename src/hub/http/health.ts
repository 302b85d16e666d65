import { oldestProtocol, protocol, version } from '../../protocol/version.ts'
import type { Hub } from '../hub.ts'
import type { Handlers } from './handler.ts'

/** `GET /healthz`. */
export const health: Handlers['health'] = () => ({ ok: true, program: 'claude-net', version, protocol, oldestProtocol })

/** The least time between two writes that only prove that the store takes them, in ms: a store that refuses shows within twice that. */
const probeIntervalMs = 500

/** Resolves when the store takes writes, rejects when it refuses them: proven by a durable write, however often it is asked. */
export type WriteProbe = (hub: Hub) => Promise<unknown>

/** A probe that writes at most twice a second: who asks may be anybody. */
export function writeProbe(): WriteProbe {
  let startedAt = -Infinity
  let probe: Promise<unknown> = Promise.resolve()
  return hub => {
    const now = performance.now()
    if (now - startedAt > probeIntervalMs) {
      startedAt = now
      probe = hub.submit({ type: 'clock.tick' })
    }
    return probe
  }
}

/** `GET /readyz`. */
export function readiness(probe: WriteProbe): Handlers['ready'] {
  return async ({ hub }) => {
    await probe(hub)
    return { ready: true }
  }
}
