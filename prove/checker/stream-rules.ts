import type { Kind, Rules, Violation } from './check.ts'
import type { Act, Acts, Line, Results } from './history.ts'

interface Stream {
  inbox: string
  /** The seq behind which it goes on; 0 for one that began anew. */
  after: number
  told: Set<string>
}

/**
 * A stream tells of each delivery once, in the order of the inbox, without leaving out what is unread; one that resumes tells of nothing
 * from before its cursor.
 */
export class StreamRules implements Rules {
  readonly violations: Violation[] = []
  readonly #sent = new Map<string, { act: Acts['send']; seq?: number }>()
  /** By inbox: what somebody has begun to ack, of which a stream need not tell. */
  readonly #ackBegun = new Map<string, Set<string>>()
  readonly #streams = new Map<number, Stream>()

  take(line: Line, act: Act): void {
    if (line.type === 'event') this.#told(this.#streams.get(line.op)!, line.told)
    else if (line.type === 'invoke') this.#begins(line.op, act)
    else if (line.type === 'ok' && act.kind === 'send')
      this.#sent.get(act.id)!.seq ??= (line.result as Results['send']).seq
  }

  #begins(op: number, act: Act): void {
    if (act.kind === 'follow') this.#streams.set(op, { inbox: act.inbox, after: act.after ?? 0, told: new Set() })
    if (act.kind === 'ack') for (const id of act.ids) this.#acks(act.inbox).add(id)
    if (act.kind !== 'send') return
    if (!this.#sent.has(act.id)) this.#sent.set(act.id, { act })
    if (act.replyTo !== undefined) this.#acks(act.from).add(act.replyTo)
  }

  #told(stream: Stream, told: Extract<Line, { type: 'event' }>['told']): void {
    const { id, seq } = told
    if (told.kind === 'receipt') {
      // One ack of many messages is one place.
      if (seq < stream.after)
        this.#report('told twice', `a stream of ${stream.inbox} tells of ${seq} behind ${stream.after}`)
      return
    }
    const { inbox, after } = stream
    const sent = this.#sent.get(id)
    if (!sent?.act.to.includes(inbox))
      this.#report('phantom', `a stream of ${inbox} tells of ${id}; nobody sent it there`)
    else if (sent.act.from !== told.from)
      this.#report('forged', `a stream of ${inbox} tells of ${id} from ${told.from}; ${sent.act.from} sent it`)
    if (stream.told.has(id)) this.#report('told twice', `a stream of ${inbox} tells of ${id} again`)
    else if (seq <= after) this.#report('told twice', `a stream of ${inbox} tells of ${id} at ${seq}, behind ${after}`)
    this.#leavesOut(stream, seq)
    stream.told.add(id)
    stream.after = Math.max(after, seq)
  }

  #leavesOut({ inbox, after, told }: Stream, seq: number): void {
    const acks = this.#acks(inbox)
    for (const { act, seq: at } of this.#sent.values()) {
      if (at === undefined || at <= after || at >= seq || act.mayExpire || !act.to.includes(inbox)) continue
      if (!told.has(act.id) && !acks.has(act.id))
        this.#report(
          'untold',
          `a stream of ${inbox} goes on to ${seq} behind ${act.id} at ${at}, of which it has not told`,
        )
    }
  }

  #acks(inbox: string): Set<string> {
    let acks = this.#ackBegun.get(inbox)
    if (!acks) {
      acks = new Set()
      this.#ackBegun.set(inbox, acks)
    }
    return acks
  }

  #report(kind: Kind, text: string): void {
    this.violations.push({ kind, text })
  }
}
