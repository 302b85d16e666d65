import { hash as digest } from 'node:crypto'
import { newMessageId } from '../protocol/ids.ts'
import { count, span } from '../text/spans.ts'
import type { LoopSettings } from './door-settings.ts'
import type { Hub } from './hub.ts'
import type { Commit } from './journal/local.ts'
import type { CommandOf, ResultOf } from './state/commands.ts'
import { memberById } from './state/query/find-member.ts'
import { timestamp } from './state/timestamp.ts'

type Send = CommandOf<'message.send'>

/** A pair that was silent for as long starts anew, in ms: the same report each hour is no loop. */
const forgetAfterMs = 30 * 60_000

/** Most pairs that are remembered. The one that was silent for longest is forgotten first. */
const maxPairs = 10_000

/** What has passed between two machines lately. */
interface Pair {
  /** When the last messages were stored, in ms since 1970, oldest first: no more than it takes to know a loop. */
  times: number[]
  /** What each has said last, and how often running, by the sender's id. */
  said: Map<number, { text: string; times: number }>
}

/** The last straw: who wrote to whom, and what looked like a loop. */
export interface Loop {
  from: string
  to: string
  why: string
}

/**
 * Notices two machines that only keep each other busy, and has their mail stopped for a while so that a person can look. It
 * counts what was stored, so that every hub that applies the same entries sees the same loops; the brake itself is state, and
 * outlives a restart. Counts are kept in memory and start anew with the hub. Humans are never counted.
 */
export class LoopBrake {
  readonly #hub: Hub
  readonly #settings: LoopSettings
  readonly #onBrake: (loop: Loop) => void
  /** By last use, the longest silent first. */
  readonly #pairs = new Map<number, Pair>()
  /** Kinds never change, and ids are not used again. */
  readonly #isMachine = new Map<number, boolean>()

  /** `onBrake` hears of each brake once it is on disk. */
  constructor(hub: Hub, settings: LoopSettings, onBrake: (loop: Loop) => void) {
    this.#hub = hub
    this.#settings = settings
    this.#onBrake = onBrake
  }

  /** Counts the messages of a batch that is on disk. A brake it calls for is in the journal before any sender hears of the batch. */
  watch({ entries, outcomes }: Commit): void {
    entries.forEach(({ time, command }, index) => {
      const outcome = outcomes[index]!
      if (command.type === 'message.send' && outcome.ok) this.#count(time, command, outcome.result as ResultOf<Send>)
    })
  }

  #count(time: number, { by, body }: Send, { recipients, repeated }: ResultOf<Send>): void {
    if (repeated || !this.#machine(by)) return
    let text: string | undefined
    for (const { member, kind, status } of recipients) {
      if (status !== 'stored' || kind !== 'machine' || member === by) continue
      text ??= digest('sha1', body, 'base64')
      const why = this.#whyLoop(by, member, text, time)
      if (why) void this.#brake(by, member, why, time)
    }
  }

  /** Adds one message. Answers what makes it the last straw, in words, if it is. */
  #whyLoop(from: number, to: number, text: string, time: number): string | undefined {
    const { messages, windowS, repeats } = this.#settings
    const key = Math.min(from, to) * 2 ** 26 + Math.max(from, to)
    const pair = this.#remembered(key, time)
    pair.times.push(time)
    if (pair.times.length > messages + 1) pair.times.shift()
    const said = pair.said.get(from)
    const running = said?.text === text ? said.times + 1 : 1
    pair.said.set(from, { text, times: running })

    const isFlood = pair.times.length > messages && time - pair.times[0]! < windowS * 1000
    if (!isFlood && running < repeats) return undefined
    this.#pairs.delete(key)
    return isFlood
      ? `${count(pair.times.length, 'message')} within ${span(windowS * 1000)}`
      : `the same text ${running} times running`
  }

  #remembered(key: number, time: number): Pair {
    let pair = this.#pairs.get(key)
    const silentMs = pair ? time - pair.times.at(-1)! : 0
    // A clock that was set back would make old times look near.
    if (!pair || silentMs > forgetAfterMs || silentMs < 0) pair = { times: [], said: new Map() }
    this.#pairs.delete(key)
    this.#pairs.set(key, pair)
    if (this.#pairs.size > maxPairs) this.#pairs.delete(this.#pairs.keys().next().value!)
    return pair
  }

  async #brake(from: number, to: number, why: string, time: number): Promise<void> {
    const until = time + this.#settings.pauseS * 1000
    const [sender, recipient] = [this.#nameOf(from), this.#nameOf(to)]
    const body =
      `Mail between ${sender} and you is stopped until ${timestamp(until)}: ${why} looked like a loop. Tell your user: a ` +
      `person should look at what the two of you are doing. After that, answer only what needs an answer. This notice needs none.`
    try {
      const notice = { id: newMessageId(), body }
      const { isNew } = await this.#hub.submit({ type: 'pair.brake', from, to, until, why, notice })
      if (isNew) this.#onBrake({ from: sender, to: recipient, why })
    } catch {
      // The disk refused, and the journal has told. The pair is counted anew.
    }
  }

  #machine(id: number): boolean {
    let isMachine = this.#isMachine.get(id)
    if (isMachine === undefined) {
      isMachine = memberById(this.#hub.state.db, id)?.kind === 'machine'
      this.#isMachine.set(id, isMachine)
    }
    return isMachine
  }

  #nameOf(id: number): string {
    return memberById(this.#hub.state.db, id)?.name ?? '?'
  }
}
