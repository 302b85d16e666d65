import type { InboxDump } from './check.ts'
import type { Act, Line, Results, Seen } from './history.ts'

/** Maximum number of places that the search for an order visits. A history that needs more stays undecided, which is no violation. */
const maxSteps = 200_000

/**
 * An operation on one inbox. `begin` and `end` are line numbers of the history; `end` is Infinity if no end is known. Sends take effect in
 * the order of their seqs. An ack that is not `certain` may take effect or not.
 */
interface Operation {
  client: string
  begin: number
  end: number
  what:
    | { kind: 'send'; id: string }
    | { kind: 'read'; shown: string[]; complete: boolean }
    | { kind: 'ack'; ids: string[]; known?: ReadonlySet<string>; unknown?: ReadonlySet<string> }
  certain: boolean
}

/**
 * Searches for an order of the operations on one inbox, each between its begin and its end, in which an inbox that performs one operation
 * at a time would have returned all these results (Wing and Gong's search, with Lowe's cache of dead ends). Returns undefined if there is
 * one, and otherwise a sentence about the result that does not fit. With `mayLag`, a read is ordered only relative to its own client.
 *
 * The seqs determine the order of the sends, and a read that fits at an eligible position is placed there immediately, since it changes
 * nothing: the search is over acks only.
 */
export function explainInbox(
  dump: InboxDump,
  lines: readonly Line[],
  mayLag: boolean,
  onUndecided: (inbox: string) => void = () => {},
): string | undefined {
  const search = new Search(dump.inbox, operationsOn(dump, lines), mayLag)
  const why = search.run()
  if (search.isGivenUp) onUndecided(dump.inbox)
  return why
}

interface OnInbox {
  /** Sorted by `begin`. */
  operations: Operation[]
  /** Ids of the stored messages, by seq. */
  order: string[]
  /** Messages that may expire. */
  loose: Set<string>
}

function operationsOn(dump: InboxDump, lines: readonly Line[]): OnInbox {
  const { inbox } = dump
  const seqs = new Map(dump.rows.map(({ id, seq }) => [id, seq]))
  const sends = new Map<string, Operation>()
  const others = new Map<number, Operation>()
  const acts = new Map<number, Act>()
  const loose = new Set<string>()
  const see = (seen: readonly Pick<Seen, 'id' | 'seq'>[]) => {
    for (const { id, seq } of seen) if (!seqs.has(id)) seqs.set(id, seq)
  }
  const begin = (op: number, place: number, client: string, what: Operation['what']) =>
    others.set(op, { client, begin: place, end: Infinity, what, certain: false })
  lines.forEach((line, place) => {
    if (line.type === 'invoke') {
      const { act, op } = line
      acts.set(op, act)
      const client = line.client ?? ('from' in act ? act.from : 'inbox' in act ? act.inbox : act.of)
      if (act.kind === 'send' && act.to.includes(inbox)) {
        if (act.mayExpire) loose.add(act.id)
        if (!sends.has(act.id)) {
          const what = { kind: 'send', id: act.id } as const
          sends.set(act.id, { client, begin: place, end: Infinity, what, certain: true })
        }
      }
      if (act.kind === 'send' && act.from === inbox && act.replyTo !== undefined)
        begin(op, place, client, { kind: 'ack', ids: [act.replyTo] })
      if (act.kind === 'read' && act.inbox === inbox)
        begin(op, place, client, { kind: 'read', shown: [], complete: false })
      if (act.kind === 'ack' && act.inbox === inbox) begin(op, place, client, { kind: 'ack', ids: act.ids })
      return
    }
    const act = acts.get(line.op)!
    if (line.type === 'event') {
      if (line.told.kind === 'inbox' && act.kind === 'follow' && act.inbox === inbox) see([line.told])
      return
    }
    if (line.type === 'fail') others.delete(line.op)
    if (line.type !== 'ok') return
    const operation = others.get(line.op)
    if (operation) {
      operation.end = place
      operation.certain = true
    }
    if (act.kind === 'send') {
      const send = sends.get(act.id)
      if (!send) return
      send.end = Math.min(send.end, place)
      see([{ id: act.id, seq: (line.result as Results['send']).seq }])
    } else if (operation?.what.kind === 'read') {
      const { messages, complete } = line.result as Results['read']
      operation.what = { kind: 'read', shown: messages.map(({ id }) => id), complete }
      see(messages)
    } else if (operation?.what.kind === 'ack') {
      const { acked, unknown } = line.result as Results['ack']
      operation.what = { ...operation.what, known: new Set(acked), unknown: new Set(unknown) }
    }
  })
  const stored = [...sends.values()]
    .filter(({ what }) => what.kind === 'send' && seqs.has(what.id))
    .sort((one, other) => seqs.get(idOf(one))! - seqs.get(idOf(other))!)
  // The final inbox shows which uncertain acks took effect.
  const acked = new Set(dump.rows.flatMap(row => (row.acked ? [row.id] : [])))
  const rest = [...others.values()].filter(
    ({ what, certain }) => certain || (what.kind === 'ack' && what.ids.some(id => acked.has(id))),
  )
  const last: Operation = {
    client: '',
    begin: lines.length,
    end: lines.length + 1,
    what: { kind: 'read', shown: dump.unread, complete: true },
    certain: true,
  }
  const operations = [...stored, ...rest, last].sort((one, other) => one.begin - other.begin)
  return { operations, order: stored.map(idOf), loose }
}

function idOf({ what }: Operation): string {
  return what.kind === 'send' ? what.id : ''
}

/** A place in the search: the operations done so far, and the unread messages after them. */
interface Place {
  done: Uint8Array
  /** The first operation that is not done. */
  first: number
  /** Number of certain operations that are not done. */
  left: number
  /** Number of sends that are done. */
  sent: number
  unread: string[]
}

class Search {
  readonly #inbox: string
  readonly #operations: readonly Operation[]
  readonly #loose: ReadonlySet<string>
  readonly #mayLag: boolean
  readonly #order: readonly string[]
  readonly #placeOf: ReadonlyMap<string, number>
  readonly #deadEnds = new Set<string>()
  #steps = 0

  /** Whether the search exceeded `maxSteps`: `run` then returns undefined. */
  get isGivenUp(): boolean {
    return this.#steps > maxSteps
  }

  /** The dead end with the fewest operations left. */
  #furthest = { left: Infinity, stuck: '' }

  constructor(inbox: string, { operations, order, loose }: OnInbox, mayLag: boolean) {
    this.#inbox = inbox
    this.#operations = operations
    this.#order = order
    this.#placeOf = new Map(order.map((id, at) => [id, at]))
    this.#loose = loose
    this.#mayLag = mayLag
  }

  run(): string | undefined {
    const left = this.#operations.filter(({ certain }) => certain).length
    if (this.#goesOn({ done: new Uint8Array(this.#operations.length), first: 0, left, sent: 0, unread: [] }))
      return undefined
    return `the answers of the inbox of ${this.#inbox} fit no order: ${this.#furthest.stuck}`
  }

  #goesOn(place: Place): boolean {
    for (;;) {
      if (++this.#steps > maxSteps) return true
      const eligible = this.#eligible(place)
      const reads = eligible.filter(index => this.#isTrueRead(index, place))
      for (const index of reads) this.#mark(index, place)
      if (place.left === 0) return true
      if (reads.length > 0) continue
      const moves = this.#byHarm(
        eligible.filter(index => this.#isPossible(index, place)),
        eligible,
      )
      if (moves.length === 0) {
        if (place.left < this.#furthest.left) this.#furthest = { left: place.left, stuck: this.#stuck(eligible, place) }
        return false
      }
      if (moves.length === 1) {
        this.#take(moves[0]!, place)
        continue
      }
      const key = this.#keyOf(place)
      if (this.#deadEnds.has(key)) return false
      this.#deadEnds.add(key)
      return moves.some(index => {
        const next = { ...place, done: place.done.slice(), unread: [...place.unread] }
        this.#take(index, next)
        return this.#goesOn(next)
      })
    }
  }

  /**
   * Sorts moves by harm: those that invalidate the fewest eligible reads come first, and among these the certain ones. This order rarely
   * needs backtracking.
   */
  #byHarm(moves: number[], eligible: number[]): number[] {
    if (moves.length < 2) return moves
    const reads = eligible.flatMap(index => {
      const { what } = this.#operations[index]!
      return what.kind === 'read' ? [what] : []
    })
    const harm = (index: number) => {
      const { what, certain } = this.#operations[index]!
      const spoils = (read: (typeof reads)[number]) =>
        what.kind === 'send'
          ? read.complete && !read.shown.includes(what.id)
          : what.kind === 'ack' && what.ids.some(id => read.shown.includes(id))
      return 2 * reads.filter(spoils).length + (certain ? 0 : 1)
    }
    const harms = new Map(moves.map(index => [index, harm(index)]))
    return moves.sort((one, other) => harms.get(one)! - harms.get(other)!)
  }

  /** Returns a key that identifies the possible continuations of a place. */
  #keyOf({ done, first, unread }: Place): string {
    let key = `${first}`
    for (let index = first; index < done.length; index++) if (done[index]) key += ` ${index}`
    for (const id of unread) key += `,${this.#placeOf.get(id)}`
    return key
  }

  /** Returns the operations that may be next: those that began before the end of every other one that is not done. */
  #eligible(place: Place): number[] {
    const operations = this.#operations
    const { done } = place
    while (done[place.first]) place.first++
    const ends = new Map<string, number>()
    let firstEnd = Infinity
    let firstWriteEnd = Infinity
    const open: number[] = []
    for (let index = place.first; index < operations.length; index++) {
      const { begin, end, client, what } = operations[index]!
      if (done[index]) continue
      // Operations are sorted by `begin`: no further one is eligible.
      if (!this.#mayLag && begin > firstEnd) break
      open.push(index)
      firstEnd = Math.min(firstEnd, end)
      if (what.kind !== 'read') firstWriteEnd = Math.min(firstWriteEnd, end)
      ends.set(client, Math.min(ends.get(client) ?? Infinity, end))
    }
    return open.filter(index => {
      const { begin, client, what } = operations[index]!
      if (!this.#mayLag) return begin <= firstEnd
      return begin <= ends.get(client)! && (what.kind === 'read' || begin <= firstWriteEnd)
    })
  }

  #isTrueRead(index: number, place: Place): boolean {
    const { what } = this.#operations[index]!
    if (what.kind !== 'read') return false
    const loose = this.#loose
    const [shown, unread] = [what.shown, place.unread].map(ids =>
      loose.size === 0 ? ids : ids.filter(id => !loose.has(id)),
    ) as [string[], string[]]
    const fits = what.complete ? shown.length === unread.length : shown.length <= unread.length
    return fits && shown.every((id, at) => unread[at] === id)
  }

  #isPossible(index: number, { sent }: Place): boolean {
    const { what } = this.#operations[index]!
    if (what.kind === 'read') return false
    if (what.kind === 'send') return this.#order[sent] === what.id
    const isThere = (id: string) => this.#placeOf.get(id)! < sent
    if (what.known === undefined) return what.ids.some(isThere)
    return [...what.known].every(isThere) && ![...(what.unknown ?? [])].some(isThere)
  }

  #take(index: number, place: Place): void {
    const { what } = this.#operations[index]!
    if (what.kind === 'send') {
      place.sent++
      place.unread.push(what.id)
    } else if (what.kind === 'ack') {
      const ids = new Set(what.ids)
      place.unread = place.unread.filter(id => !ids.has(id))
    }
    this.#mark(index, place)
  }

  #mark(index: number, place: Place): void {
    place.done[index] = 1
    if (this.#operations[index]!.certain) place.left--
  }

  #stuck(eligible: number[], { unread }: Place): string {
    const waiting = eligible.map(index => {
      const { what, client, begin } = this.#operations[index]!
      if (what.kind === 'read')
        return `a read of ${client || 'the end'} from line ${begin} shows [${what.shown.join(' ')}]`
      return what.kind === 'send' ? `${what.id} is to be sent` : `an ack of [${what.ids.join(' ')}] from line ${begin}`
    })
    return `with [${unread.join(' ')}] unread, ${waiting.join('; ') || 'nothing may come next'}`
  }
}
