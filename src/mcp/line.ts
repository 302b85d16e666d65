import type { HubClient } from '../client/hub-client.ts'
import type { Outbox } from '../client/outbox.ts'
import type { Scope } from '../client/project/scope.ts'
import type { InboxMessage } from '../protocol/messages.ts'

/**
 * The part of their server that the three tools use: one member's line to its hub. A session's server reaches the hub over the network and
 * has the machine's outbox; for `POST /mcp` the hub calls itself.
 */
export interface Line {
  client: Pick<HubClient, 'call' | 'now'> & Partial<Pick<HubClient, 'staleness'>>
  /** Time zone of times in a send; that of this process if absent. */
  timeZone?: string
  outbox: Pick<Outbox, 'send' | 'takeRefused'>
  /** Scope of the messages that are read here; all of the member's if absent. */
  scope?: Scope
  /** Saves the whole text of a message that is too long to show; returns where it can be read. May throw. */
  keepWhole: (message: InboxMessage) => string
  /** Sets the status line of the session; '' removes it. Returns the line as it was stored. */
  setStatus: (text: string) => Promise<string>
}
