import type { HubClient } from '../client/hub-client.ts'
import type { Outbox } from '../client/outbox.ts'
import type { Scope } from '../client/project/scope.ts'
import type { InboxMessage } from '../protocol/messages.ts'

/**
 * The part of their server that the three tools use: one member's line to its hub. A session's server has one over the wire,
 * with the machine's outbox; the hub, answering `POST /mcp`, has one to itself.
 */
export interface Line {
  client: Pick<HubClient, 'call' | 'now'> & Partial<Pick<HubClient, 'staleness'>>
  /** The zone of the wall clock that times in a send mean. Absent: that of this process. */
  timeZone?: string
  outbox: Pick<Outbox, 'send' | 'takeRefused'>
  /** Scope of the messages that are read here; all of the member's if absent. */
  scope?: Scope
  /** Saves the whole text of a message that is too long to show; returns where it can be read. May throw. */
  keepWhole: (message: InboxMessage) => string
  /** Sets the line that the session says of itself; an empty one removes it. Returns the line as it was stored. */
  setStatus: (text: string) => Promise<string>
}
