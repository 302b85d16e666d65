import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { StreamEvent } from '../protocol/events.ts'
import type { HubClient } from './hub-client.ts'
import type { Scope } from './project/scope.ts'

/** Pauses between attempts to reach the hub, in ms: doubled from `first` to `last`, each shortened at random by up to half. */
const retryMs = { first: 500, last: 30_000 }

export interface FollowOptions {
  /** Requests each message with its event, from a hub that supports it: see `InboxEvent`. */
  withDelivery?: boolean
  /** Limits the events to messages of this scope. */
  project?: Scope
  signal: AbortSignal
  /** Called when the hub has accepted a stream: the first, or a later one after a break. */
  onOpen?: () => void
  /** Called when the hub becomes unreachable; once until it is back. */
  onAway?: (error: ClaudeNetError) => void
}

/**
 * Yields every event for this member, unread messages first, over as many streams as it takes, until `signal` aborts. None is
 * skipped or repeated. Throws the hub's refusals.
 */
export async function* followEvents(
  client: HubClient,
  { withDelivery = false, project, signal, onOpen, onAway }: FollowOptions,
): AsyncGenerator<StreamEvent & { cursor?: string }> {
  const queries = queriesFor({ withDelivery, project })
  let cursor: string | undefined
  let pause = retryMs.first
  let query = 0
  while (!signal.aborted) {
    try {
      const opened = () => {
        pause = retryMs.first
        onOpen?.()
      }
      const ready = (reached: string) => (cursor = reached)
      for await (const event of client.events({ cursor, ...queries[query], signal, opened, ready })) {
        yield event
        cursor = event.cursor ?? cursor
      }
    } catch (error) {
      if (error instanceof ClaudeNetError && error.code === 'invalid' && ++query < queries.length) continue
      if (!(error instanceof ClaudeNetError) || error.code !== 'unavailable') throw error
      if (pause === retryMs.first) onAway?.(error)
    }
    // The hub may have been upgraded meanwhile.
    query = 0
    await delay(pause * (1 - Math.random() / 2), undefined, { signal }).catch(() => {})
    pause = Math.min(pause * 2, retryMs.last)
    // A transport that has to be opened (ssh) retries at its own pace, and this continues as soon as it is open.
    if (!signal.aborted) await Promise.race([client.transport.opened(), once(signal, 'abort')])
  }
}

/** Returns the query to use, followed by reduced ones for hubs that are too old for it. */
function queriesFor({ withDelivery, project }: Pick<FollowOptions, 'withDelivery' | 'project'>) {
  return [
    ...(project === undefined ? [] : [{ withDelivery, project }]),
    ...(withDelivery ? [{ withDelivery }] : []),
    { withDelivery: false },
  ]
}
