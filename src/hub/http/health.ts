import { oldestProtocol, protocol, version } from '../../protocol/version.ts'
import type { Hub } from '../hub.ts'
import type { Handlers } from './handler.ts'

/** `GET /healthz`. */
export const health: Handlers['health'] = () => ({ ok: true, program: 'claude-net', version, protocol, oldestProtocol })

/** Least time between two probe writes, in ms: a store that refuses writes is noticed within twice that. */
const probeIntervalMs = 500

/** Resolves when the store accepts a durable write, rejects when it refuses it. Calls within `probeIntervalMs` share one write. */
export type WriteProbe = (hub: Hub) => Promise<unknown>

/** Returns a probe that writes at most twice a second, as the route is public. */
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
