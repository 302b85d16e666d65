import type { Rung } from './live-sessions.ts'
import { type Gathered, type Mail, mayWake } from './news.ts'

/** Time for a session to fetch what a rung announced, in ms, before the next rung is tried. */
export const rungMs = 30_000

/** Time for a session to show any activity after a rung, in ms. A session that shows none has held or dropped the wake. */
export const stirMs = 2500

/** A burst ends when no message has arrived for this time, in ms. A burst causes one wake. */
export const quietMs = 150

/** Longest time for which a burst delays a wake, in ms. */
export const burstMs = 1000

/** Content of a wake: a message, or that a question is over. */
export type WakeNews = Mail | Gathered

/** A message that this session should fetch, or the outcome of its own question that it should be notified of. */
interface Offer {
  mail: WakeNews
  tried: Rung[]
  /** Time at which it was offered, or the last rung was tried; monotonic, in ms. */
  since: number
}

/** The next step: wake the session by `rung` for `mail`. */
export interface WakeStep {
  rung: Rung
  mail: WakeNews[]
}

/** State of the session at one moment. */
export interface View {
  /** The rungs that can be used, in their order. */
  rungs: readonly Rung[]
  /** Whether the last step reached the session. Undefined if that cannot be known. */
  isHeard: boolean | undefined
}

/**
 * Decides which rung is tried when, until the session fetches its messages. Only messages that may wake a session climb: the rest wait for
 * a hook. After a step for some messages all others wait too, so that a session is woken once, not once for each.
 */
export class Ladder {
  readonly #offers = new Map<string, Offer>()
  #stepAt = Number.NEGATIVE_INFINITY
  #lastStep: string[] = []

  offer(mail: WakeNews, now: number): void {
    if (!this.#offers.has(mail.id)) this.#offers.set(mail.id, { mail, tried: [], since: now })
  }

  /** Ids of the questions that were offered, and whether a rung has announced each. */
  get gathered(): { id: string; isTried: boolean }[] {
    return [...this.#offers.values()].flatMap(({ mail, tried }) =>
      mail.kind === 'gathered' ? [{ id: mail.id, isTried: tried.length > 0 }] : [],
    )
  }

  has(id: string): boolean {
    return this.#offers.has(id)
  }

  /** Ids of all offers that are not settled. */
  get ids(): string[] {
    return [...this.#offers.keys()]
  }

  /** Ids that the last step announced and the session has not fetched. */
  get lastStep(): readonly string[] {
    return this.#lastStep
  }

  /** Removes an offer that was fetched or is no longer this session's. Returns the rung that last announced it. */
  settle(id: string): Rung | undefined {
    const offer = this.#offers.get(id)
    this.#offers.delete(id)
    this.#lastStep = this.#lastStep.filter(other => other !== id)
    return offer?.tried.at(-1)
  }

  /** Returns the step that is due at `now`; undefined if none is. */
  next(now: number, view: View): WakeStep | undefined {
    const waiting = [...this.#offers.values()].filter(({ mail }) => mayWake(mail))
    const rungOf = ({ tried }: Offer) => view.rungs.find(rung => !tried.includes(rung))
    const untried = waiting.filter(({ tried }) => tried.length === 0)
    const isDue = (offer: Offer) => {
      // Nothing else wakes until the messages of the last step were fetched, or its time is over.
      if (this.#lastStep.length > 0 && now - this.#stepAt < this.#patience(offer, view)) return false
      return offer.tried.length > 0
        ? now - offer.since >= this.#patience(offer, view)
        : isBurstOver(offer, untried, now)
    }
    const due = waiting.find(offer => rungOf(offer) && isDue(offer))
    if (!due) return undefined
    const rung = rungOf(due)!
    // Later arrivals are included: one wake for all.
    return { rung, mail: waiting.filter(offer => rungOf(offer) === rung).map(({ mail }) => mail) }
  }

  /** Returns the ids that have no rung left at `now`, after the time of the last one. */
  spent(now: number, view: View): string[] {
    const isSpent = (offer: Offer) =>
      offer.tried.length > 0 &&
      now - offer.since >= this.#patience(offer, view) &&
      view.rungs.every(rung => offer.tried.includes(rung))
    return [...this.#offers].filter(([, offer]) => isSpent(offer)).map(([id]) => id)
  }

  /** Records that the step was taken. */
  took({ rung, mail }: WakeStep, now: number): void {
    for (const { id } of mail) {
      const offer = this.#offers.get(id)
      offer?.tried.push(rung)
      if (offer) offer.since = now
    }
    this.#stepAt = now
    this.#lastStep = mail.map(({ id }) => id)
  }

  /** Returns the time to wait for a fetch after the last step before `offer` takes its next one, in ms. */
  #patience({ mail, tried }: Offer, { isHeard }: View): number {
    if (isHeard === false) return stirMs
    // Urgent messages do not wait for a session whose activity is unknown, nor for one that was woken for other messages.
    return isUrgent(mail) && (isHeard === undefined || tried.length === 0) ? stirMs : rungMs
  }
}

function isUrgent(mail: WakeNews): boolean {
  return mail.kind === 'mail' && mail.intent === 'urgent'
}

/** Reports whether the burst around an offer is over. Urgent messages do not wait for that. */
function isBurstOver({ mail, since }: Offer, untried: readonly Offer[], now: number): boolean {
  if (isUrgent(mail)) return true
  return now - since >= burstMs || untried.every(other => now - other.since >= quietMs)
}
