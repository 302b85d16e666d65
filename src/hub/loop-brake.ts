import { hash as digest } from 'node:crypto'
import { newMessageId } from '../protocol/ids.ts'
import type { MemberKind } from '../protocol/messages.ts'
import type { LoopSettings } from './config/door.ts'
import type { Hub } from './hub.ts'
import type { Commit } from './journal/journal.ts'
import type { CommandOf, ResultOf } from './state/commands.ts'
import { memberById } from './state/query/find-member.ts'
import { loopCode, loopInWords } from './state/refusal-words.ts'
import { timestamp } from './state/timestamp.ts'

type Send = CommandOf<'message.send'>

/** Silence after which the counts of a pair are reset, in ms: the same report every hour is no loop. */
const forgetAfterMs = 30 * 60_000

/** Most pairs that are tracked. The one that was silent for longest is evicted first. */
const maxPairs = 10_000

/** Least share of each side in an exchange: with less, one side reports and the other answers now and then. */
const leastShare = 1 / 4

/** Recent messages between two machines. */
interface Pair {
  /** The last messages that were stored, oldest first: no more than it takes to recognize a loop. */
  sent: { at: number; from: number }[]
  /** Digest of the last text of each side, and how many times running it was sent, by the sender's id. */
  said: Map<number, { text: string; times: number }>
}

/** Time of an entry, in ms since 1970, and whether it was submitted here. */
interface Moment {
  time: number
  isOwn: boolean
}

/** Sender and recipient of the message that caused a brake, and what looked like a loop. */
export interface Loop {
  from: string
  to: string
  why: string
}

/**
 * Detects two machines that only keep each other busy, and stops their messages for a while so that a person can look. Two patterns count
 * as a loop: many messages in a short time of which each side wrote its share, without one from a person to either of them in between; and
 * the same text from one side several times running. Messages of one side only are left to the rate limits, and messages that waited in an
 * outbox are not counted: nobody has answered them yet.
 *
 * Only stored messages are counted, so that all hubs that apply the same entries see the same loops. Of several hubs, the one that received
 * the last message submits the brake; if that fails, the one that receives the next message does. The brake itself is state and survives a
 * restart. Counts are kept in memory and are reset when the hub starts.
 */
export class LoopBrake {
  readonly #hub: Hub
  readonly #settings: LoopSettings
  readonly #onBrake: (loop: Loop) => void
  /** In order of last use, the longest silent first. */
  readonly #pairs = new Map<number, Pair>()
  /** Time when a person last wrote to a machine, in ms since 1970, by the machine's id. */
  readonly #guidedAt = new Map<number, number>()
  /** Cache: kinds never change, and ids are not reused. */
  readonly #kinds = new Map<number, MemberKind>()

  /** `onBrake` is called for each brake once it is on disk. */
  constructor(hub: Hub, settings: LoopSettings, onBrake: (loop: Loop) => void) {
    this.#hub = hub
    this.#settings = settings
    this.#onBrake = onBrake
  }

  /** Counts the messages of a batch that is on disk. A resulting brake is submitted to the journal before senders receive their responses. */
  watch({ entries, outcomes, isOwn }: Commit): void {
    entries.forEach(({ time, command }, index) => {
      const outcome = outcomes[index]!
      if (!outcome.ok) return
      const at = { time, isOwn }
      if (command.type === 'message.send') this.#count(at, command, outcome.result as ResultOf<Send>)
      if (command.type === 'later.deliver') this.#countLater(at, outcome.result as ResultOf<typeof command>)
      if (command.type === 'pair.brake') this.#pairs.delete(keyOf(command.from, command.to))
    })
  }

  /** Counts a scheduled message, which happens when it is delivered. */
  #countLater(at: Moment, due: ResultOf<CommandOf<'later.deliver'>>): void {
    if (due.became !== 'sent') return
    const body = this.#hub.state.db.get<{ body: string }>('select body from message where seq = ?', due.seq)?.body ?? ''
    this.#count(at, { by: due.by, body }, { recipients: due.recipients, repeated: false })
  }

  #count(
    at: Moment,
    { by, body, wasKept }: Pick<Send, 'by' | 'body' | 'wasKept'>,
    { recipients, repeated }: Pick<ResultOf<Send>, 'recipients' | 'repeated'>,
  ): void {
    if (repeated || wasKept || this.#kindOf(by) === 'service') return
    if (this.#kindOf(by) !== 'machine') {
      for (const { member, status } of recipients) if (status === 'stored') this.#guidedAt.set(member, at.time)
      return
    }
    let text: string | undefined
    for (const { member, kind, status } of recipients) {
      if (status !== 'stored' || kind !== 'machine' || member === by) continue
      text ??= digest('sha1', body, 'base64')
      const why = this.#whyLoop(by, member, text, at.time)
      if (!why || !at.isOwn) continue
      this.#pairs.delete(keyOf(by, member))
      void this.#brake(by, member, why, at.time)
    }
  }

  /** Adds one message. Returns the reason as `loopCode` if it completes a loop. */
  #whyLoop(from: number, to: number, text: string, time: number): string | undefined {
    const { messages, windowS, repeats } = this.#settings
    const pair = this.#pairOf(keyOf(from, to), time)
    pair.sent.push({ at: time, from })
    if (pair.sent.length > messages + 1) pair.sent.shift()
    const said = pair.said.get(from)
    const running = said?.text === text ? said.times + 1 : 1
    pair.said.set(from, { text, times: running })

    const isExchange = pair.sent.length > messages && this.#isExchange(pair, from, to, time - windowS * 1000)
    if (!isExchange && running < repeats) return undefined
    return loopCode(isExchange ? { messages: pair.sent.length, windowS } : { repeats: running })
  }

  /** Reports whether all of `sent` is newer than `since`, both sides wrote their share, and no person wrote to either meanwhile. */
  #isExchange({ sent }: Pair, one: number, other: number, since: number): boolean {
    const guidedAt = Math.max(this.#guidedAt.get(one) ?? 0, this.#guidedAt.get(other) ?? 0)
    if (sent[0]!.at <= Math.max(since, guidedAt)) return false
    const ofOne = sent.filter(({ from }) => from === one).length
    return Math.min(ofOne, sent.length - ofOne) >= sent.length * leastShare
  }

  #pairOf(key: number, time: number): Pair {
    let pair = this.#pairs.get(key)
    const silentMs = pair ? time - pair.sent.at(-1)!.at : 0
    // After the clock was set back, old times would look recent.
    if (!pair || silentMs > forgetAfterMs || silentMs < 0) pair = { sent: [], said: new Map() }
    this.#pairs.delete(key)
    this.#pairs.set(key, pair)
    if (this.#pairs.size > maxPairs) this.#pairs.delete(this.#pairs.keys().next().value!)
    return pair
  }

  async #brake(from: number, to: number, why: string, time: number): Promise<void> {
    const until = time + this.#settings.pauseS * 1000
    const [sender, recipient] = [this.#nameOf(from), this.#nameOf(to)]
    const body =
      `Messages between ${sender} and you are stopped until ${timestamp(until)}: ${loopInWords(why)} looked like a loop. Tell your user: a ` +
      `person should look at what the two of you are doing. After that, answer only what needs an answer. This notice needs none.`
    try {
      const notice = { id: newMessageId(), body }
      const { isNew } = await this.#hub.submit({ type: 'pair.brake', from, to, until, why, notice })
      if (isNew) this.#onBrake({ from: sender, to: recipient, why: loopInWords(why) })
    } catch {
      // The disk refused, which the journal has reported. The counts of the pair start at zero.
    }
  }

  #kindOf(id: number): MemberKind | undefined {
    const known = this.#kinds.get(id)
    if (known) return known
    const kind = memberById(this.#hub.state.db, id)?.kind
    if (kind) this.#kinds.set(id, kind)
    return kind
  }

  #nameOf(id: number): string {
    return memberById(this.#hub.state.db, id)?.name ?? '?'
  }
}

/** Returns the key of a pair of members, the same in either order. */
function keyOf(one: number, other: number): number {
  return Math.min(one, other) * 2 ** 26 + Math.max(one, other)
}
