import type { InboxDump, Kind, Rules, Violation } from './check.ts'
import type { Act, Acts, Line, Results, Seen } from './history.ts'

/** State of one message over all attempts to send it. */
interface Sent {
  act: Acts['send']
  /** Seq that the hub returned; undefined before a response. */
  seq?: number
  /** Number of attempts without a conclusive end. */
  undecided: number
  /** Whether its client stores it and will send it. */
  isKept: boolean
  /** Messages kept in its lane before it was written. */
  before: string[]
  /** Highest seq returned for this sender before the first attempt, by inbox. */
  floor: Map<string, number>
}

/** State of one inbox up to a line of the history. */
interface Inbox {
  /** Acknowledged sends to it for which no ack has started: every read must show them. */
  owed: Set<string>
  ackBegun: Set<string>
  /** Acknowledged acks by message, with the seq that the hub had reached (0 if not reported) and the number of lines before. */
  ackAnswered: Map<string, { at: number; line: number }>
  /** Messages that a read has shown. */
  shown: Set<string>
  /** Seq under which each message first occurred in a read, a stream or the response to its send. */
  seqs: Map<string, number>
  /** Highest seq in `shown`. */
  shownUpTo: number
}

/** A read that has started, with what was known then. */
interface Reading {
  act: Acts['read']
  owed: string[]
  upTo: number
  /** Number of lines before it. */
  line: number
  shownUpTo: number
}

/**
 * Rules for one inbox at a time: its required content and order. With `mayLag` a read must reflect everything acknowledged up to the seq
 * that it requires; without, everything acknowledged before it began.
 */
export class InboxRules implements Rules {
  readonly violations: Violation[] = []
  readonly #sent = new Map<string, Sent>()
  readonly #inboxes = new Map<string, Inbox>()
  readonly #reading = new Map<number, Reading>()
  /** Highest seq returned so far, by sender and inbox. */
  readonly #answeredUpTo = new Map<string, number>()
  /** Kept messages in order, by lane. */
  readonly #lanes = new Map<string, string[]>()
  readonly #mayLag: boolean
  #lines = 0

  constructor(mayLag: boolean) {
    this.#mayLag = mayLag
  }

  take(line: Line, act: Act): void {
    this.#lines++
    if (line.type === 'event') {
      if (act.kind === 'follow' && line.told.kind === 'inbox') this.#sameSeq(act.inbox, line.told.id, line.told.seq)
      return
    }
    if (line.type === 'kept') {
      if (act.kind === 'send') this.#sendKept(act)
      return
    }
    if (line.type === 'invoke') {
      if (act.kind === 'send') this.#sendBegins(act)
      else if (act.kind === 'read') this.#readBegins(line.op, act)
      else if (act.kind === 'ack') for (const id of act.ids) this.#ackBegins(act.inbox, id)
      return
    }
    if (act.kind === 'send' && line.type !== 'unknown') this.#sent.get(act.id)!.undecided--
    if (line.type !== 'ok') return
    if (act.kind === 'send') this.#sendAnswered(act, line.result as Results['send'])
    else if (act.kind === 'read') this.#readAnswered(this.#reading.get(line.op)!, line.result as Results['read'])
    else if (act.kind === 'ack') this.#ackAnswered(act, line.result as Results['ack'])
  }

  takeDump({ inbox: name, rows, unread, count }: InboxDump): void {
    const where = `the inbox of ${name}`
    const inbox = this.#inbox(name)
    this.#eachOnce(
      rows.map(({ id }) => id),
      where,
    )
    this.#eachOnce(unread, `the last read of ${name}`)
    this.#rising(rows, where)
    if (count !== undefined && count !== unread.length)
      this.#report('count', `${where} reports ${count} unread messages and shows ${unread.length}`)
    for (const row of rows) {
      this.#asSent(row, name, where)
      // An expired message stays unacked.
      const isUnread = !this.#sent.get(row.id)?.act.mayExpire || unread.includes(row.id)
      if (!row.acked && isUnread && inbox.ackAnswered.has(row.id))
        this.#report('lost ack', `${row.id} is unread again in ${where}`)
      if (row.acked && !inbox.ackBegun.has(row.id))
        this.#report('lost', `${row.id} is marked as read in ${where} without an ack`)
    }
    const stored = new Set(rows.map(({ id }) => id))
    for (const { act, seq } of this.#sent.values()) {
      if (seq === undefined || act.mayExpire || !act.to.includes(name) || stored.has(act.id)) continue
      this.#report('lost', `${act.id} of ${act.from} was acknowledged as ${seq} and is not in ${where}`)
    }
    for (const sent of this.#sent.values()) if (sent.act.to.includes(name)) this.#inLane(sent, name, rows)
    const waiting = new Set(rows.filter(({ acked }) => !acked).map(({ id }) => id))
    const shown = new Set(unread)
    for (const id of waiting)
      if (!shown.has(id) && !this.#sent.get(id)?.act.mayExpire)
        this.#report('lost', `${id} is unread in ${where} and not shown`)
    for (const id of shown) {
      if (!stored.has(id)) this.#report('phantom', `${id} is shown to ${name} and not in its inbox`)
      else if (!waiting.has(id)) this.#report('lost ack', `${id} is read in ${where} and shown as unread`)
    }
    const asShown = [...shown].filter(id => waiting.has(id))
    const asStored = [...waiting].filter(id => shown.has(id))
    if (asShown.some((id, place) => id !== asStored[place]))
      this.#report('reordered', `the last read of ${name} shows messages in another order than they have`)
  }

  /** Checks that a kept message is in the inbox, after those kept before it in its lane. */
  #inLane({ act, isKept, undecided, before }: Sent, name: string, rows: readonly Seen[]): void {
    if (!isKept && before.length === 0) return
    const at = rows.findIndex(({ id }) => id === act.id)
    if (at < 0 && isKept && undecided > 0)
      this.#report('lost', `${act.id} of ${act.from} was kept to be sent, and is not in the inbox of ${name}`)
    if (at < 0) return
    for (const { id } of rows.slice(at + 1))
      if (before.includes(id))
        this.#report('reordered', `${act.id} is before ${id} in the inbox of ${name}, which was kept before it`)
  }

  #sendBegins(act: Acts['send']): void {
    const known = this.#sent.get(act.id)
    if (known) {
      known.undecided++
      return
    }
    const floor = new Map(act.to.map(name => [name, this.#answeredUpTo.get(`${act.from} ${name}`) ?? 0]))
    const before = act.lane === undefined ? [] : [...(this.#lanes.get(act.lane) ?? [])]
    this.#sent.set(act.id, { act, undecided: 1, isKept: false, before, floor })
    // An answer acks the message that it answers.
    if (act.replyTo !== undefined) this.#ackBegins(act.from, act.replyTo)
  }

  #sendKept(act: Acts['send']): void {
    this.#sent.get(act.id)!.isKept = true
    if (act.lane !== undefined) this.#lanes.set(act.lane, [...(this.#lanes.get(act.lane) ?? []), act.id])
  }

  #sendAnswered(act: Acts['send'], { seq }: Results['send']): void {
    const sent = this.#sent.get(act.id)!
    if (sent.seq !== undefined) {
      if (sent.seq !== seq) this.#report('twice', `${act.id} was acknowledged as ${sent.seq} and again as ${seq}`)
      return
    }
    sent.seq = seq
    for (const name of act.to) {
      const floor = sent.floor.get(name)!
      this.#sameSeq(name, act.id, seq)
      if (seq <= floor) this.#report('reordered', `${act.id} of ${act.from} to ${name} is ${seq}, sent after ${floor}`)
      const pair = `${act.from} ${name}`
      this.#answeredUpTo.set(pair, Math.max(seq, this.#answeredUpTo.get(pair) ?? 0))
      const inbox = this.#inbox(name)
      if (!inbox.ackBegun.has(act.id) && !act.mayExpire) inbox.owed.add(act.id)
    }
  }

  #readBegins(op: number, act: Acts['read']): void {
    const { owed, shownUpTo } = this.#inbox(act.inbox)
    const upTo = this.#mayLag ? (act.atLeast ?? 0) : Number.POSITIVE_INFINITY
    this.#reading.set(op, {
      act,
      owed: [...owed].filter(id => this.#sent.get(id)!.seq! <= upTo),
      upTo,
      line: this.#lines,
      shownUpTo,
    })
  }

  #readAnswered({ act, owed, upTo, line, shownUpTo }: Reading, { messages, complete, unread }: Results['read']): void {
    const inbox = this.#inbox(act.inbox)
    const where = `a read of ${act.inbox}`
    const ids = new Set(messages.map(({ id }) => id))
    const end = complete ? Number.POSITIVE_INFINITY : (messages.at(-1)?.seq ?? 0)
    this.#eachOnce(
      messages.map(({ id }) => id),
      where,
    )
    this.#rising(messages, where)
    if (complete && unread !== undefined && unread !== messages.length)
      this.#report('count', `${where} reports ${unread} unread messages and shows ${messages.length}`)
    for (const message of messages) {
      this.#asSent(message, act.inbox, where)
      this.#sameSeq(act.inbox, message.id, message.seq)
      const acked = inbox.ackAnswered.get(message.id)
      if (acked && acked.at <= upTo && acked.line < line)
        this.#report('lost ack', `${message.id} was acked and is in ${where}`)
      if (message.seq < shownUpTo && !inbox.shown.has(message.id))
        this.#report('reordered', `${message.id} appears as ${message.seq} in ${where}; ${shownUpTo} was shown before`)
    }
    for (const id of owed) {
      if (ids.has(id) || inbox.ackBegun.has(id) || this.#sent.get(id)!.seq! > end) continue
      this.#report('lost', `${id} was acknowledged and is unread, and not in ${where}`)
    }
    for (const { id, seq } of messages) {
      inbox.shown.add(id)
      inbox.shownUpTo = Math.max(inbox.shownUpTo, seq)
    }
  }

  #ackBegins(name: string, id: string): void {
    const inbox = this.#inbox(name)
    inbox.ackBegun.add(id)
    inbox.owed.delete(id)
  }

  #ackAnswered(act: Acts['ack'], { acked, unknown, at = 0 }: Results['ack']): void {
    const inbox = this.#inbox(act.inbox)
    for (const id of acked) if (!inbox.ackAnswered.has(id)) inbox.ackAnswered.set(id, { at, line: this.#lines })
    for (const id of unknown)
      if (inbox.shown.has(id))
        this.#report('lost ack', `${act.inbox} was shown ${id}, and its ack is refused as unknown`)
  }

  /** Checks that a message is as its sender sent it, and to this inbox. */
  #asSent({ id, seq, from, body }: Seen, inbox: string, where: string): void {
    const sent = this.#sent.get(id)
    if (!sent) {
      this.#report('phantom', `${id} is in ${where}; nobody sent it`)
      return
    }
    const { act } = sent
    if (act.from !== from) this.#report('forged', `${id} is from ${from} in ${where}; ${act.from} sent it`)
    if (!act.to.includes(inbox)) this.#report('phantom', `${id} is in ${where}; it was sent to ${act.to.join(', ')}`)
    if (sent.seq === undefined && sent.undecided === 0)
      this.#report('phantom', `${id} is in ${where}; it was refused each time`)
    if (sent.seq !== undefined && sent.seq !== seq)
      this.#report('reordered', `${id} is ${seq} in ${where}; it was acknowledged as ${sent.seq}`)
    if (act.body !== body) this.#report('changed', `${id} has another text in ${where} than was sent`)
  }

  /** Checks that a message keeps the seq under which it first occurred. */
  #sameSeq(inbox: string, id: string, seq: number): void {
    const { seqs } = this.#inbox(inbox)
    const before = seqs.get(id)
    if (before !== undefined && before !== seq)
      this.#report('twice', `${id} was ${before} in the inbox of ${inbox}, and then ${seq}`)
    else seqs.set(id, seq)
  }

  #eachOnce(ids: string[], where: string): void {
    const before = new Set<string>()
    for (const id of ids) {
      if (before.has(id)) this.#report('twice', `${id} is twice in ${where}`)
      before.add(id)
    }
  }

  #rising(messages: readonly Seen[], where: string): void {
    let last = 0
    for (const { id, seq } of messages) {
      if (seq <= last) this.#report('reordered', `${id} is ${seq}, behind ${last}, in ${where}`)
      last = seq
    }
  }

  #inbox(name: string): Inbox {
    let inbox = this.#inboxes.get(name)
    if (!inbox) {
      inbox = {
        owed: new Set(),
        ackBegun: new Set(),
        ackAnswered: new Map(),
        shown: new Set(),
        seqs: new Map(),
        shownUpTo: 0,
      }
      this.#inboxes.set(name, inbox)
    }
    return inbox
  }

  #report(kind: Kind, text: string): void {
    this.violations.push({ kind, text })
  }
}
