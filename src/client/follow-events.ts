import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { StreamEvent } from '../protocol/events.ts'
import type { HubClient } from './hub-client.ts'

/** Pauses between tries to reach the hub, in ms: doubled from the first to the last, each shortened at random by up to half. */
const retryMs = { first: 500, last: 30_000 }

export interface FollowOptions {
  /** Have the message come with its event, from a hub that can: see `InboxEvent`. */
  withDelivery?: boolean
  signal: AbortSignal
  /** The hub has accepted a stream: the first, or one more after a break. */
  onOpen?: () => void
  /** The hub is out of reach; told once until it was back. */
  onAway?: (error: ClaudeNetError) => void
}

/**
 * Every event for this member, all that is unread first, over as many streams as it takes, until `signal` aborts: none is
 * skipped or repeated. Throws what the hub refuses.
 */
export async function* followEvents(
  client: HubClient,
  { withDelivery = false, signal, onOpen, onAway }: FollowOptions,
): AsyncGenerator<StreamEvent & { cursor?: string }> {
  let isWith = withDelivery
  let cursor: string | undefined
  let pause = retryMs.first
  while (!signal.aborted) {
    try {
      const opened = () => {
        pause = retryMs.first
        onOpen?.()
      }
      const ready = (reached: string) => (cursor = reached)
      for await (const event of client.events({ cursor, withDelivery: isWith, signal, opened, ready })) {
        yield event
        cursor = event.cursor ?? cursor
      }
    } catch (error) {
      // An older hub knows no such query.
      if (isWith && error instanceof ClaudeNetError && error.code === 'invalid') {
        isWith = false
        continue
      }
      if (!(error instanceof ClaudeNetError) || error.code !== 'unavailable') throw error
      if (pause === retryMs.first) onAway?.(error)
    }
    await delay(pause * (1 - Math.random() / 2), undefined, { signal }).catch(() => {})
    pause = Math.min(pause * 2, retryMs.last)
    // A way that has to be opened is tried in its own time, and told of at once.
    if (!signal.aborted) await Promise.race([client.transport.opened(), once(signal, 'abort')])
  }
}
