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

/** A pair that was silent for as long starts anew, in ms: the same report each hour is no loop. */
const forgetAfterMs = 30 * 60_000

/** Most pairs that are remembered. The one that was silent for longest is forgotten first. */
const maxPairs = 10_000

/** Each side's part of an exchange, at least: less of one side is a report with an answer now and then. */
const leastShare = 1 / 4

/** What has passed between two machines lately. */
interface Pair {
  /** The last messages that were stored, oldest first: no more than it takes to know a loop. */
  sent: { at: number; from: number }[]
  /** What each has said last, and how often running, by the sender's id. */
  said: Map<number, { text: string; times: number }>
}

/** When an entry was made, in ms since 1970, and whether it was submitted here. */
interface Moment {
  time: number
  isOwn: boolean
}

/** The last straw: who wrote to whom, and what looked like a loop. */
export interface Loop {
  from: string
  to: string
  why: string
}

/**
 * Notices two machines that only keep each other busy, and has their mail stopped for a while so that a person can look. Two
 * things look like a loop: many messages in a short time of which each side wrote its share, with none from a person to either
 * of them in between; and the same text from one side several times running. What only one side sends is left to the rate
 * limits, and mail that waited in an outbox counts for nothing: nobody has answered it yet.
 *
 * The brake counts what was stored, so that every hub that applies the same entries sees the same loops. Of several hubs the one that was
 * sent the last straw calls for the brake, and where that fails the one that is sent the next message. The brake itself is state, and
 * outlives a restart. Counts are kept in memory and start anew with the hub.
 */
export class LoopBrake {
  readonly #hub: Hub
  readonly #settings: LoopSettings
  readonly #onBrake: (loop: Loop) => void
  /** By last use, the longest silent first. */
  readonly #pairs = new Map<number, Pair>()
  /** When a person last wrote to a machine, in ms since 1970, by the machine's id. */
  readonly #guidedAt = new Map<number, number>()
  /** Kinds never change, and ids are not used again. */
  readonly #kinds = new Map<number, MemberKind>()

  /** `onBrake` hears of each brake once it is on disk. */
  constructor(hub: Hub, settings: LoopSettings, onBrake: (loop: Loop) => void) {
    this.#hub = hub
    this.#settings = settings
    this.#onBrake = onBrake
  }

  /** Counts the messages of a batch that is on disk. A brake it calls for is in the journal before any sender hears of the batch. */
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

  /** Later mail counts when it is delivered. */
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

  /** Adds one message. Returns what makes it the last straw, as `loopCode`, if it is. */
  #whyLoop(from: number, to: number, text: string, time: number): string | undefined {
    const { messages, windowS, repeats } = this.#settings
    const pair = this.#remembered(keyOf(from, to), time)
    pair.sent.push({ at: time, from })
    if (pair.sent.length > messages + 1) pair.sent.shift()
    const said = pair.said.get(from)
    const running = said?.text === text ? said.times + 1 : 1
    pair.said.set(from, { text, times: running })

    const isExchange = pair.sent.length > messages && this.#isExchange(pair, from, to, time - windowS * 1000)
    if (!isExchange && running < repeats) return undefined
    return loopCode(isExchange ? { messages: pair.sent.length, windowS } : { repeats: running })
  }

  /** Whether all of `sent` is younger than `since`, both sides wrote their share of it, and no person wrote to either meanwhile. */
  #isExchange({ sent }: Pair, one: number, other: number, since: number): boolean {
    const guidedAt = Math.max(this.#guidedAt.get(one) ?? 0, this.#guidedAt.get(other) ?? 0)
    if (sent[0]!.at <= Math.max(since, guidedAt)) return false
    const ofOne = sent.filter(({ from }) => from === one).length
    return Math.min(ofOne, sent.length - ofOne) >= sent.length * leastShare
  }

  #remembered(key: number, time: number): Pair {
    let pair = this.#pairs.get(key)
    const silentMs = pair ? time - pair.sent.at(-1)!.at : 0
    // A clock that was set back would make old times look near.
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
      `Mail between ${sender} and you is stopped until ${timestamp(until)}: ${loopInWords(why)} looked like a loop. Tell your user: a ` +
      `person should look at what the two of you are doing. After that, answer only what needs an answer. This notice needs none.`
    try {
      const notice = { id: newMessageId(), body }
      const { isNew } = await this.#hub.submit({ type: 'pair.brake', from, to, until, why, notice })
      if (isNew) this.#onBrake({ from: sender, to: recipient, why: loopInWords(why) })
    } catch {
      // The disk refused, and the journal has told. The pair is counted anew.
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

/** Names a pair of members, in either order. */
function keyOf(one: number, other: number): number {
  return Math.min(one, other) * 2 ** 26 + Math.max(one, other)
}
