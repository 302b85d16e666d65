import { setImmediate } from 'node:timers/promises'
import { type Cursor, formatCursor } from '../../protocol/events.ts'
import type { Intent } from '../../protocol/messages.ts'
import type { CommandOf, Entry, Outcome, ResultOf } from '../state/commands.ts'
import { changedBy, messageOf, type SentItem, type TrafficItem, toldBy } from '../state/query/traffic.ts'
import type { State } from '../state/state.ts'

/** Characters of a text that are stored with its message. */
const beginningCharacters = 200

/** Most items that are stored. A reader further behind has to reload. */
const maxKept = 2000

/** Items per page. */
const page = 100

/** Time for which items are stored after the last reader has left, in ms: a disconnected reader returns within it. */
const keepMs = 60_000

/**
 * Consecutive items. `cursor` is the position after them; `isEnd` is true if no later item is known. With `isGap`, items before this page
 * are lost.
 */
export interface TrafficPage {
  items: TrafficItem[]
  cursor: string
  isEnd: boolean
  isGap?: true
}

/**
 * The traffic between all members, derived from committed entries and held in memory while there are readers. Without readers a commit
 * costs one comparison.
 */
export class Traffic {
  readonly #state: State
  #items: TrafficItem[] = []
  /** Seq after which all items are stored; undefined while none are. */
  #since: number | undefined
  #readers = 0
  #forgetting: NodeJS.Timeout | undefined
  readonly #waiting = new Set<() => void>()
  /** Number of changes to members while there are readers. */
  membersVersion = 0

  constructor(state: State) {
    this.#state = state
  }

  /** Adds the items of a batch that is on disk. */
  committed({ entries, outcomes }: { entries: readonly Entry[]; outcomes: readonly Outcome[] }): void {
    if (this.#since === undefined) return
    const { length } = this.#items
    for (const [index, entry] of entries.entries()) {
      try {
        this.#items.push(...this.#itemsOf(entry, outcomes[index]!))
      } catch {
        // An unreadable item is skipped here: the store reports the damage itself.
      }
    }
    if (this.#items.length > length) this.#wake()
    if (this.#items.length > 2 * maxKept) {
      const dropped = this.#items.splice(0, this.#items.length - maxKept)
      this.#since = dropped.at(-1)!.seq
    }
  }

  /**
   * Yields every item after `from` in journal order until `signal` aborts; without a cursor, new items only. The first page is yielded at
   * once, even if empty, after one with `isGap` if some items after the cursor are lost.
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

  /** Returns a page of items after a seq; items with the same seq are never split. */
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

/** Frequent commands that store no message. `message.send` is not needed here: its message is in the command. */
const storesNothing: ReadonlySet<string> = new Set([
  'inbox.fetched',
  'inbox.told',
  'inbox.ack',
  'project.see',
  'clock.tick',
  'telegram.receive',
])

/** First words of the commands that change the response of `GET /v1/machines` other than by presence and messages. */
const changesMembers: ReadonlySet<string> = new Set(['member', 'alias', 'group', 'organization', 'pair', 'webhook'])

/** Returns the message that a send has stored; undefined if it was stored before or waits for a later time. */
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
    // Joined anew, because a slice would keep the whole text in memory.
    beginning: [...body.slice(0, 2 * beginningCharacters)].slice(0, beginningCharacters).join(''),
  }
}

/** Returns the index of the first item after `seq`. */
function firstAfter(items: readonly TrafficItem[], seq: number): number {
  let [low, high] = [0, items.length]
  while (low < high) {
    const middle = (low + high) >> 1
    if (items[middle]!.seq > seq) high = middle
    else low = middle + 1
  }
  return low
}
