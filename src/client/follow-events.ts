import { once } from 'node:events'
import { setTimeout as delay } from 'node:timers/promises'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { StreamEvent } from '../protocol/events.ts'
import type { HubClient } from './hub-client.ts'
import type { Scope } from './project/scope.ts'

/** Pauses between tries to reach the hub, in ms: doubled from the first to the last, each shortened at random by up to half. */
const retryMs = { first: 500, last: 30_000 }

export interface FollowOptions {
  /** Have the message come with its event, from a hub that can: see `InboxEvent`. */
  withDelivery?: boolean
  /** Only mail that it reads. */
  project?: Scope
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
    // A hub that comes back may be a newer one.
    query = 0
    await delay(pause * (1 - Math.random() / 2), undefined, { signal }).catch(() => {})
    pause = Math.min(pause * 2, retryMs.last)
    // A way that has to be opened is tried in its own time, and told of at once.
    if (!signal.aborted) await Promise.race([client.transport.opened(), once(signal, 'abort')])
  }
}

/** What is asked for, and what instead of a hub that is too old for it. */
function queriesFor({ withDelivery, project }: Pick<FollowOptions, 'withDelivery' | 'project'>) {
  return [
    ...(project === undefined ? [] : [{ withDelivery, project }]),
    ...(withDelivery ? [{ withDelivery }] : []),
    { withDelivery: false },
  ]
}
