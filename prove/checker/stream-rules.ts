import type { Kind, Rules, Violation } from './check.ts'
import type { Act, Acts, Line, Results, Told } from './history.ts'

interface Stream {
  inbox: string
  /** Seq after which it continues; 0 without a cursor. */
  after: number
  told: Set<string>
}

/**
 * Checks that a stream has each delivery once, in the order of the inbox, without skipping unread ones, and that a resumed one has nothing
 * from before its cursor.
 */
export class StreamRules implements Rules {
  readonly violations: Violation[] = []
  readonly #sent = new Map<string, { act: Acts['send']; seq?: number }>()
  /** Acknowledged sends that may not expire, by inbox, in the order of their seqs. */
  readonly #answered = new Map<string, { id: string; seq: number }[]>()
  /** Messages for which an ack has started, by inbox: a stream may skip them. */
  readonly #ackBegun = new Map<string, Set<string>>()
  readonly #streams = new Map<number, Stream>()

  take(line: Line, act: Act): void {
    if (line.type === 'event') {
      const { told } = line
      if (told.kind === 'inbox' || told.kind === 'receipt') this.#told(this.#streams.get(line.op)!, told)
    }
    if (line.type === 'invoke') this.#begins(line.op, act)
    else if (line.type === 'ok' && act.kind === 'send') this.#sendAnswered(act, line.result as Results['send'])
  }

  #begins(op: number, act: Act): void {
    if (act.kind === 'follow') this.#streams.set(op, { inbox: act.inbox, after: act.after ?? 0, told: new Set() })
    if (act.kind === 'ack') for (const id of act.ids) this.#acks(act.inbox).add(id)
    if (act.kind !== 'send') return
    if (!this.#sent.has(act.id)) this.#sent.set(act.id, { act })
    if (act.replyTo !== undefined) this.#acks(act.from).add(act.replyTo)
  }

  #sendAnswered(act: Acts['send'], { seq }: Results['send']): void {
    const sent = this.#sent.get(act.id)!
    if (sent.seq !== undefined) return
    sent.seq = seq
    if (act.mayExpire) return
    for (const name of act.to) {
      const answered = this.#answered.get(name) ?? []
      this.#answered.set(name, answered)
      answered.splice(firstBehind(answered, seq), 0, { id: act.id, seq })
    }
  }

  #told(stream: Stream, told: Extract<Told, { seq: number }>): void {
    const { id, seq } = told
    if (told.kind === 'receipt') {
      // Receipts of one ack of many messages share a seq.
      if (seq < stream.after) this.#report('told twice', `a stream of ${stream.inbox} has ${seq} after ${stream.after}`)
      return
    }
    const { inbox, after } = stream
    const sent = this.#sent.get(id)
    if (!sent?.act.to.includes(inbox)) this.#report('phantom', `a stream of ${inbox} has ${id}; nobody sent it there`)
    else if (sent.act.from !== told.from)
      this.#report('forged', `a stream of ${inbox} has ${id} from ${told.from}; ${sent.act.from} sent it`)
    if (stream.told.has(id)) this.#report('told twice', `a stream of ${inbox} has ${id} again`)
    else if (seq <= after) this.#report('told twice', `a stream of ${inbox} has ${id} at ${seq}, after ${after}`)
    this.#leavesOut(stream, seq)
    stream.told.add(id)
    stream.after = Math.max(after, seq)
  }

  #leavesOut({ inbox, after, told }: Stream, seq: number): void {
    const acks = this.#acks(inbox)
    const answered = this.#answered.get(inbox) ?? []
    for (let place = firstBehind(answered, after); place < answered.length && answered[place]!.seq < seq; place++) {
      const { id, seq: at } = answered[place]!
      if (!told.has(id) && !acks.has(id))
        this.#report('untold', `a stream of ${inbox} continues at ${seq} and skipped ${id} at ${at}`)
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

/** Returns the index of the first of `answered`, sorted by seq, whose seq is greater than `seq`. */
function firstBehind(answered: readonly { seq: number }[], seq: number): number {
  let [low, high] = [0, answered.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (answered[middle]!.seq <= seq) low = middle + 1
    else high = middle
  }
  return low
}
