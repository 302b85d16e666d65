import type { Act, Line, Seen } from './history.ts'
import { InboxRules } from './inbox-rules.ts'
import { explainInbox } from './linearize.ts'
import { ReceiptRules } from './receipt-rules.ts'
import { StreamRules } from './stream-rules.ts'

/**
 * An inbox at the end. `rows` is what the store holds, by seq; `unread` what a reader is shown, in that order; `count` how many unread
 * messages the hub says there are.
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
   * The hub that answers a read may be behind others, but not behind `atLeast` of the act. Then an inbox is held to sequential
   * consistency instead of linearizability: writes in the order of time, reads in the order of their client.
   */
  mayLag?: boolean
  /** Whether to search for an order that explains all answers of an inbox, default true; every other rule holds without. */
  searches?: boolean
  /** Called with each inbox for which the search for an order was given up: nothing is said about that order. */
  onUndecided?: (inbox: string) => void
}

/** Takes the lines of a history in their order, and then the inboxes that it ended in. */
export interface Rules {
  readonly violations: Violation[]
  /** `act` is the one that the line belongs to. */
  take(line: Line, act: Act): void
  takeDump?(dump: InboxDump): void
}

/**
 * Reads a history and the inboxes that it ended in, and names what breaks a promise:
 *
 *   lost              an acknowledged send is not in an inbox, or not shown while unread, or read without anyone having acked it
 *   twice             one message twice in an inbox or an answer, or under two seqs
 *   phantom           a message that nobody sent, or not to this inbox, or that was refused
 *   forged            a message under another name than its sender's
 *   reordered         a later send of a sender before an earlier one, seqs that do not rise or do not agree, or a message that appears
 *                     behind one that was shown before
 *   lost ack          an answered ack whose message is unread again, or that the hub did not know
 *   changed           another text than was sent
 *   receipt           a receipt of what nobody did, or that leaves out what was answered as done
 *   told twice        a stream tells of a delivery again, or of one from before its cursor
 *   untold            a stream goes on behind an unread delivery of which it has not told
 *   count             another number of unread messages than there are
 *   not linearizable  the answers of one inbox fit no order of its operations
 *
 * What is unknown may have happened or not, and neither counts against the hub.
 */
export function check(
  lines: readonly Line[],
  dumps: readonly InboxDump[],
  { mayLag = false, searches = true, onUndecided }: CheckOptions = {},
): Violation[] {
  const rules: Rules[] = [new InboxRules(mayLag), new ReceiptRules(mayLag), new StreamRules()]
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
