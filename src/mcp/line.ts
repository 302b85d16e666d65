import type { HubClient } from '../client/hub-client.ts'
import type { Outbox } from '../client/outbox.ts'
import type { Scope } from '../client/project/scope.ts'
import type { InboxMessage } from '../protocol/messages.ts'

/**
 * What the three tools need of whoever serves them: one member's line to its hub. A session's server has one over the wire,
 * with the machine's outbox; the hub, answering `POST /mcp`, has one to itself.
 */
export interface Line {
  client: Pick<HubClient, 'call' | 'now'> & Partial<Pick<HubClient, 'staleness'>>
  /** The zone of the wall clock that times in a send mean. Absent: that of this process. */
  timeZone?: string
  outbox: Pick<Outbox, 'send' | 'takeRefused'>
  /** Whose mail is read here; all of the member's where it is left out. */
  scope?: Scope
  /** Saves the whole text of a message that is too long to show; returns where it can be read. May throw. */
  keepWhole: (message: InboxMessage) => string
  /** Sets the line that the session says of itself; an empty one takes it away. Returns what it is now. */
  setStatus: (text: string) => Promise<string>
}
