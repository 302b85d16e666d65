import { writeFileSync } from 'node:fs'
import { ClaudeNetError } from '../../src/protocol/errors.ts'

/**
 * Operations of a client, by kind. `to` names the inboxes that should receive a send; `body` is its whole text. A send with `mayExpire` may
 * leave its inboxes unread. `receipts` are requested by `of`, the sender of the message. `follow` opens a stream; `after` is the seq of the
 * cursor from which it resumes. `session` starts a session that is notified of an inbox; it runs until its operation ends. One with a
 * project is notified of messages for that project and for none.
 *
 * `atLeast` is the seq up to which the hub that responds must have applied the log, in histories of several hubs only: see `CheckOptions`.
 */
export interface Acts {
  send: {
    kind: 'send'
    id: string
    from: string
    to: string[]
    body: string
    replyTo?: string
    mayExpire?: true
    /** Project of the recipient that the message is for. */
    project?: string
    /** Kept messages of one lane are sent in the order in which they were written. */
    lane?: string
  }
  read: { kind: 'read'; inbox: string; atLeast?: number }
  ack: { kind: 'ack'; inbox: string; ids: string[] }
  fetched: { kind: 'fetched'; inbox: string; ids: string[]; session: string }
  receipts: { kind: 'receipts'; of: string; id: string; atLeast?: number }
  follow: { kind: 'follow'; inbox: string; after?: number }
  session: { kind: 'session'; inbox: string; session: string; project?: string }
}
export type Act = Acts[keyof Acts]

/** A message as shown to a reader. */
export interface Seen {
  id: string
  seq: number
  from: string
  body: string
}

/** The receipt of one recipient as its sender sees it. `session` is the one that fetched the message. */
export interface ReceiptSeen {
  recipient: string
  status: 'stored' | 'fetched' | 'acked' | 'expired' | 'refused'
  session?: string
}

/**
 * Results of the hub, by kind of act. A read is `complete` if no unread message follows its last one; `unread` is the reported number. `at`
 * is the seq up to which the hub that responded had applied the log, if it reported one.
 */
export interface Results {
  send: { seq: number; at?: number }
  read: { messages: Seen[]; complete: boolean; unread?: number; at?: number }
  ack: { acked: string[]; unknown: string[]; at?: number }
  fetched: { fetched: string[]; unknown: string[]; at?: number }
  receipts: { receipts: ReceiptSeen[]; at?: number }
  follow: Record<string, never>
  session: Record<string, never>
}

/**
 * An event of a stream or of a session. `at` is in ms. After `released`, other sessions of the machine may be notified of the same
 * messages, since the session did not accept a wake, or its server was killed.
 */
export type Told =
  | { kind: 'inbox'; id: string; seq: number; from: string }
  | ({ kind: 'receipt'; id: string; seq: number } & ReceiptSeen)
  | { kind: 'notified'; id: string; by: 'hook' | 'wake' | 'read'; at: number }
  | { kind: 'released' }

/**
 * One line of a history. `invoke` starts the operation `op`; an `event` belongs to a stream or a session; each of the others except `kept`
 * ends the operation:
 *
 *   kept     no response yet, but the client stores the message and will send it
 *   ok       the hub succeeded, with this result
 *   fail     the hub refused permanently: nothing was changed
 *   unknown  no response, or an inconclusive one: the operation may have taken effect
 *
 * An operation without an end is unknown too. The lines are in the order of events at the clients. `client` is the caller, if one inbox has
 * several clients.
 */
export type Line =
  | { op: number; type: 'invoke'; act: Act; client?: string }
  | { op: number; type: 'event'; told: Told }
  | { op: number; type: 'kept' }
  | { op: number; type: 'ok'; result: Results[keyof Results] }
  | { op: number; type: 'fail' | 'unknown'; why: string }

/** All operations of the clients of one test and their results, in order. */
export class History {
  readonly lines: Line[] = []
  #ops = 0

  /** Runs `call` as the operation `act`. Returns its end; throws errors that do not come from the hub. */
  async record<A extends Act, T>(
    act: A,
    call: () => Promise<T>,
    toResult: (answer: T) => Results[A['kind']],
  ): Promise<'ok' | 'fail' | 'unknown'> {
    const op = this.begin(act)
    try {
      this.end(op, { type: 'ok', result: toResult(await call()) })
      return 'ok'
    } catch (error) {
      if (!(error instanceof ClaudeNetError)) throw error
      const type = error.settled ? 'fail' : 'unknown'
      this.end(op, { type, why: `${error.code}: ${error.message}` })
      return type
    }
  }

  /** Starts an operation and returns its number. `client` is required if the inbox has several. */
  begin(act: Act, client?: string): number {
    const op = ++this.#ops
    this.lines.push({ op, type: 'invoke', act, ...(client !== undefined && { client }) })
    return op
  }

  /** Records an event of the stream `op`. */
  recordEvent(op: number, told: Told): void {
    this.lines.push({ op, type: 'event', told })
  }

  /** Records that the client stores the send `op` and will send it. */
  recordKept(op: number): void {
    this.lines.push({ op, type: 'kept' })
  }

  end(
    op: number,
    how: { type: 'ok'; result: Results[keyof Results] } | { type: 'fail' | 'unknown'; why: string },
  ): void {
    this.lines.push({ op, ...how })
  }

  /** Number of operations that have started and not ended. */
  get underWay(): number {
    return this.lines.reduce(
      (open, { type }) => open + (type === 'invoke' ? 1 : type === 'event' || type === 'kept' ? 0 : -1),
      0,
    )
  }

  /** Returns the number of operations of `kind` that ended as `type`. */
  count(kind: Act['kind'], type: 'ok' | 'fail' | 'unknown'): number {
    const kinds = new Map(this.lines.flatMap(line => (line.type === 'invoke' ? [[line.op, line.act.kind]] : [])))
    return this.lines.filter(line => line.type === type && kinds.get(line.op) === kind).length
  }

  /** Writes the lines to `path` as JSON, one each. */
  save(path: string): void {
    writeFileSync(path, this.lines.map(line => `${JSON.stringify(line)}\n`).join(''))
  }
}
