import { tabHeader } from './console-header.ts'
import type { SenderKind } from './messages.ts'

/**
 * A header of a request, with any value: its client reads the kinds `service` and `hub`. Clients of version 0.1.0, which refuse an answer
 * with a kind that they do not know, send no such header. They are told `machine` of who wrote a message, and of no service that is a member.
 */
export const kindsHeader = 'claude-net-kinds'

/** Whether the client that sent a request reads every kind: so does a page of the console, which is as new as the hub. */
export function readsAllKinds(headers: Record<string, unknown>): boolean {
  return headers[kindsHeader] !== undefined || headers[tabHeader] !== undefined
}

/** The kind of who wrote a message, for a client that knows machines and humans alone. */
export function oldKind(kind: SenderKind): SenderKind {
  return kind === 'human' ? kind : 'machine'
}
