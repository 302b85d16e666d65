import { tabHeader } from './console-header.ts'
import type { SenderKind } from './messages.ts'

/**
 * A request header, with any value: the client supports the kinds `service` and `hub`. Clients of version 0.1.0, which reject a response
 * with an unknown kind, do not send it. They receive `machine` as the kind of such senders, and lists of members without services.
 */
export const kindsHeader = 'claude-net-kinds'

/** Reports whether the client of a request supports every kind. A page of the console, always as new as the hub, does. */
export function readsAllKinds(headers: Record<string, unknown>): boolean {
  return headers[kindsHeader] !== undefined || headers[tabHeader] !== undefined
}

/** Returns the kind of a sender for a client that supports only machines and humans. */
export function oldKind(kind: SenderKind): SenderKind {
  return kind === 'human' ? kind : 'machine'
}
