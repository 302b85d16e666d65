import { setImmediate } from 'node:timers/promises'
import { type Cursor, formatCursor } from '../../protocol/events.ts'
import type { Intent } from '../../protocol/messages.ts'
import type { CommandOf, Entry, Outcome, ResultOf } from '../state/commands.ts'
import { changedBy, messageOf, type SentItem, type TrafficItem, toldBy } from '../state/query/traffic.ts'
import type { State } from '../state/state.ts'

/** How many characters of a text are kept with its message. */
export const beginningCharacters = 200

/** Most items that are kept. Whoever is further behind reads anew what it shows. */
const maxKept = 2000

/** How many items are taken at a time. */
const page = 100

/** How long items are kept once nobody looks any more, in ms: a reader that was cut comes back within it. */
const keepMs = 60_000

/**
 * Items that follow one another. `cursor` is the place behind them, and `isEnd` says that nothing is known to come after it. With `isGap` what
 * happened before is not known here any more.
 */
export interface TrafficPage {
  items: TrafficItem[]
  cursor: string
  isEnd: boolean
  isGap?: true
}

/**
 * What passes between all members, for those who look at it: made of what was committed, and kept for as long as somebody looks. While nobody
 * does, a commit costs one comparison.
 */
export class Traffic {
  readonly #state: State
  #items: TrafficItem[] = []
  /** All items behind this seq are kept; undefined while none are. */
  #since: number | undefined
  #readers = 0
  #forgetting: NodeJS.Timeout | undefined
  readonly #waiting = new Set<() => void>()
  /** How often members have changed since somebody looks. */
  membersVersion = 0

  constructor(state: State) {
    this.#state = state
  }

  /** A batch is on disk. */
  committed({ entries, outcomes }: { entries: readonly Entry[]; outcomes: readonly Outcome[] }): void {
    if (this.#since === undefined) return
    const { length } = this.#items
    for (const [index, entry] of entries.entries()) {
      try {
        this.#items.push(...this.#itemsOf(entry, outcomes[index]!))
      } catch {
        // What cannot be read is not told here: the store says so itself to whoever reads it.
      }
    }
    if (this.#items.length > length) this.#wake()
    if (this.#items.length > 2 * maxKept) {
      const dropped = this.#items.splice(0, this.#items.length - maxKept)
      this.#since = dropped.at(-1)!.seq
    }
  }

  /**
   * Every item after `from`, in the order of the journal, until `signal` aborts; without a cursor, those that come. A page comes at once,
   * empty where there is nothing yet, and before it one with a gap where not all that came after the cursor is known.
   */
  async *follow(from: Cursor | undefined, signal: AbortSignal): AsyncGenerator<TrafficPage> {
    using _ = this.#open()
    const { seq: newest, epoch } = this.#state.position
    const known = from && this.#state.seqOf(from)
    let after = known !== undefined && known >= this.#since! ? known : newest
    if (from && after !== known)
      yield { items: [], cursor: formatCursor({ epoch, seq: after }), isEnd: false, isGap: true }
    for (let isFirst = true; !signal.aborted; isFirst = false) {
      if (after < this.#since!) {
        after = this.#state.position.seq
        yield { items: [], cursor: this.#cursor(after), isEnd: false, isGap: true }
        continue
      }
      const items = this.#itemsAfter(after)
      if (items.length === 0 && !isFirst) {
        await this.#next(signal)
        continue
      }
      after = items.at(-1)?.seq ?? after
      yield { items, cursor: this.#cursor(after), isEnd: (this.#items.at(-1)?.seq ?? 0) <= after }
      if (items.length >= page) await setImmediate()
    }
  }

  #cursor(seq: number): string {
    return formatCursor({ epoch: this.#state.position.epoch, seq })
  }

  #open(): Disposable {
    clearTimeout(this.#forgetting)
    this.#readers++
    this.#since ??= this.#state.position.seq
    return {
      [Symbol.dispose]: () => {
        if (--this.#readers > 0) return
        this.#forgetting = setTimeout(() => {
          this.#items = []
          this.#since = undefined
        }, keepMs).unref()
      },
    }
  }

  /** Some items after a seq; never a part of those with one seq. */
  #itemsAfter(seq: number): TrafficItem[] {
    const first = firstAfter(this.#items, seq)
    let end = Math.min(first + page, this.#items.length)
    while (end > first && end < this.#items.length && this.#items[end]!.seq === this.#items[end - 1]!.seq) end++
    return this.#items.slice(first, end)
  }

  #next(signal: AbortSignal): Promise<void> {
    return new Promise(resolve => {
      const wake = () => {
        this.#waiting.delete(wake)
        signal.removeEventListener('abort', wake)
        resolve()
      }
      this.#waiting.add(wake)
      signal.addEventListener('abort', wake)
      if (signal.aborted) wake()
    })
  }

  #wake(): void {
    for (const wake of this.#waiting) wake()
  }

  #itemsOf(entry: Entry, outcome: Outcome): TrafficItem[] {
    const { seq, time, command } = entry
    if (!outcome.ok) return []
    const { db } = this.#state
    const items: TrafficItem[] = []
    if (command.type === 'message.send') {
      const result = outcome.result as ResultOf<typeof command>
      const sent = sentItem({ seq, time, command }, result, outcome.effects?.delivery?.intent)
      if (sent) items.push(sent)
    } else if (!storesNothing.has(command.type)) {
      const stored = messageOf(db, seq, beginningCharacters)
      if (stored) items.push({ kind: 'sent', ...stored })
    }
    if (command.type === 'inbox.told' && (outcome.result as ResultOf<typeof command>).told > 0) {
      items.push(...toldBy(db, { ...command, time }).map(told => ({ kind: 'changed' as const, seq, ...told })))
    }
    const { wake = [] } = outcome.effects ?? {}
    if (wake.length > 0 && !(command.type === 'message.send' && command.replyTo === undefined)) {
      items.push(...changedBy(db, seq, wake).map(changed => ({ kind: 'changed' as const, seq, ...changed })))
    }
    if (changesMembers.has(command.type.split('.')[0]!)) {
      this.membersVersion++
      items.push({ kind: 'members', seq })
    }
    return items
  }
}

/** The frequent commands that store no message, beside `message.send`, whose message is in the command. */
const storesNothing: ReadonlySet<string> = new Set([
  'inbox.fetched',
  'inbox.told',
  'inbox.ack',
  'project.see',
  'clock.tick',
  'telegram.receive',
])

/** What the commands are about that change what `GET /v1/machines` answers, beside presence and mail. */
const changesMembers: ReadonlySet<string> = new Set(['member', 'alias', 'group', 'organization', 'pair', 'webhook'])

/** The message that a send has stored: none where it was stored before, or waits for later. */
function sentItem(
  { seq, time, command: { id, by, to, body, replyTo } }: Entry<CommandOf<'message.send'>>,
  { recipients, repeated, at }: ResultOf<CommandOf<'message.send'>>,
  intent: Intent | undefined,
): SentItem | undefined {
  if (repeated || at !== undefined || intent === undefined) return undefined
  return {
    kind: 'sent',
    ...{ seq, id, sender: by, to, intent, sentAt: time },
    recipients: recipients.flatMap(({ member, status }) => (status === 'stored' ? [member] : [])),
    bytes: Buffer.byteLength(body),
    ...(replyTo !== undefined && { replyTo }),
    // Not a slice, which would keep all of the text.
    beginning: [...body.slice(0, 2 * beginningCharacters)].slice(0, beginningCharacters).join(''),
  }
}

/** Where the items after `seq` begin. */
function firstAfter(items: readonly TrafficItem[], seq: number): number {
  let [low, high] = [0, items.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (items[middle]!.seq > seq) high = middle
    else low = middle + 1
  }
  return low
}
