import { followEvents } from '../client/follow-events.ts'
import type { HubClient } from '../client/hub-client.ts'
import type { Scope } from '../client/project/scope.ts'
import type { StreamEvent } from '../protocol/events.ts'
import { type Runtime, systemRuntime } from './runtime.ts'

/** Pause before the stream is requested again from a hub that refused it, in ms. */
const refusedMs = 30_000

export interface InboxStreamOptions {
  /** Returns the client of the hub; throws while this machine has not joined. */
  client: () => HubClient
  /** Scope of the messages that the session reads; throws as `client` does. */
  scope: () => Scope
  signal: AbortSignal
  /** Called when the hub has accepted a stream: the first, or another one after a break. */
  onOpen: () => void
  /** Called when the stream is broken: events are missed from now on. */
  onLost: () => void
  onEvent: (event: StreamEvent) => void
  follow?: typeof followEvents
  runtime?: Runtime
}

/** Follows the events of this machine until `signal` aborts, across broken streams and refusals. */
export async function followInbox(options: InboxStreamOptions): Promise<void> {
  const { client, scope, signal, onOpen, onLost, onEvent, follow = followEvents, runtime = systemRuntime } = options
  while (!signal.aborted) {
    try {
      const stream = { withDelivery: true, project: scope(), signal, onOpen, onAway: onLost }
      for await (const event of follow(client(), stream)) onEvent(event)
    } catch {
      // Not joined, or refused for now; every tool call reports that.
      if (!signal.aborted) await pause(runtime, refusedMs, signal)
    }
  }
}

/** Resolves after `ms`, or when `signal` aborts. */
function pause(runtime: Runtime, ms: number, signal: AbortSignal): Promise<void> {
  return new Promise(resolve => {
    const end = () => {
      signal.removeEventListener('abort', end)
      cancel()
      resolve()
    }
    const cancel = runtime.after(ms, end)
    signal.addEventListener('abort', end, { once: true })
  })
}
