import type { Act, Line, Seen } from './history.ts'
import { InboxRules } from './inbox-rules.ts'
import { explainInbox } from './linearize.ts'
import { ReceiptRules } from './receipt-rules.ts'
import { SessionRules } from './session-rules.ts'
import { StreamRules } from './stream-rules.ts'

/**
 * An inbox at the end of a history. `rows` are its messages in the store, by seq; `unread` the ids that a read returns, in order; `count`
 * the number of unread messages that the hub reports.
 */
export interface InboxDump {
  inbox: string
  rows: (Seen & { acked: boolean })[]
  unread: string[]
  count?: number
}

export type Kind =
  | 'lost'
  | 'twice'
  | 'phantom'
  | 'forged'
  | 'reordered'
  | 'lost ack'
  | 'changed'
  | 'receipt'
  | 'told twice'
  | 'untold'
  | 'count'
  | 'not linearizable'

export interface Violation {
  kind: Kind
  text: string
}

export interface CheckOptions {
  /**
   * Whether the hub that responds to a read may be behind others, though not behind `atLeast` of the act. An inbox then has to be
   * sequentially consistent instead of linearizable: writes are ordered by time, reads only relative to those of the same client.
   */
  mayLag?: boolean
  /** Whether to search for an order that explains all results of an inbox. Default: true. The other rules are always checked. */
  searches?: boolean
  /** Called with each inbox for which the search was given up, so that its order is not judged. */
  onUndecided?: (inbox: string) => void
}

/** Checks the lines of a history in their order, and then the final inboxes. */
export interface Rules {
  readonly violations: Violation[]
  /** Takes the next line; `act` belongs to its operation. */
  take(line: Line, act: Act): void
  takeDump?(dump: InboxDump): void
}

/**
 * Checks a history and its final inboxes. Returns the violations:
 *
 *   lost              an acknowledged send is not in an inbox, not shown while unread, or marked as read without an ack
 *   twice             a message occurs twice in an inbox or a response, or under two seqs
 *   phantom           a message was not sent, not sent to this inbox, or was refused; a session is notified of one for another project
 *   forged            a message names another sender
 *   reordered         a later send of a sender precedes an earlier one, seqs do not ascend or do not agree, or a message appears
 *                     before one that was already shown
 *   lost ack          the message of an acknowledged ack is unread again, or unknown to the hub
 *   changed           a text differs from the one that was sent
 *   receipt           a receipt reports what did not happen, or misses what was acknowledged
 *   told twice        a stream repeats a delivery, or has one from before its cursor; a session is notified of a message again, or in
 *                     the turn of another session
 *   untold            a stream skips an unread delivery; no running session was notified of an unread message that none has read
 *   count             a reported number of unread messages is wrong
 *   not linearizable  no order of the operations of an inbox explains their results
 *
 * An operation with an unknown result may or may not have taken effect; neither is a violation.
 */
export function check(
  lines: readonly Line[],
  dumps: readonly InboxDump[],
  { mayLag = false, searches = true, onUndecided }: CheckOptions = {},
): Violation[] {
  const rules: Rules[] = [new InboxRules(mayLag), new ReceiptRules(mayLag), new StreamRules(), new SessionRules()]
  const acts = new Map<number, Act>()
  for (const line of lines) {
    if (line.type === 'invoke') acts.set(line.op, line.act)
    for (const rule of rules) rule.take(line, acts.get(line.op)!)
  }
  for (const dump of dumps) for (const rule of rules) rule.takeDump?.(dump)
  const violations = rules.flatMap(rule => rule.violations)
  for (const dump of searches ? dumps : []) {
    const why = explainInbox(dump, lines, mayLag, onUndecided)
    if (why !== undefined) violations.push({ kind: 'not linearizable', text: why })
  }
  return violations
}
