import type { Rung } from './live-sessions.ts'
import { type Gathered, type Mail, mayWake } from './news.ts'

/** How long a session has to fetch what a rung told it of, in ms, before the next rung is tried. */
export const rungMs = 30_000

/** How long a session has to do anything at all after a rung, in ms. One that does not holds or drops what that rung brings. */
export const stirMs = 2500

/** Mail is gathered until none has come for so long, in ms: a burst is one wake. */
export const quietMs = 150

/** How long mail is gathered at most before a wake, in ms. */
export const burstMs = 1000

/** What a wake tells: mail, or that a question is over. */
export type WakeNews = Mail | Gathered

/** Mail that this session is to fetch, or a question of its own that is over, which it is to be told. */
interface Offer {
  mail: WakeNews
  tried: Rung[]
  /** When it was offered, or the last rung was tried; ms on a clock that never steps. */
  since: number
}

/** What to do now: wake the session by `rung` for `mail`. */
export interface WakeStep {
  rung: Rung
  mail: WakeNews[]
}

/** What is known of the session at one moment. */
export interface View {
  /** The rungs that can be used, in their order. */
  rungs: readonly Rung[]
  /** Whether the last step reached the session. Undefined: that cannot be known. */
  isHeard: boolean | undefined
}

/**
 * The rungs that one session's mail goes up until it is fetched. Only what may wake a session climbs: the rest waits for a hook.
 * A step that was taken for some mail makes all other mail wait too, so that a session is woken once, not once for each.
 */
export class Ladder {
  readonly #offers = new Map<string, Offer>()
  #stepAt = Number.NEGATIVE_INFINITY
  #lastStep: string[] = []

  offer(mail: WakeNews, now: number): void {
    if (!this.#offers.has(mail.id)) this.#offers.set(mail.id, { mail, tried: [], since: now })
  }

  /** The ids of the questions that were offered, and whether a rung has told of each. */
  get gathered(): { id: string; isTried: boolean }[] {
    return [...this.#offers.values()].flatMap(({ mail, tried }) =>
      mail.kind === 'gathered' ? [{ id: mail.id, isTried: tried.length > 0 }] : [],
    )
  }

  has(id: string): boolean {
    return this.#offers.has(id)
  }

  /** The ids of all mail that was offered and is neither fetched nor gone. */
  get ids(): string[] {
    return [...this.#offers.keys()]
  }

  /** The ids of the mail that the last step told of and that is not fetched. */
  get lastStep(): readonly string[] {
    return this.#lastStep
  }

  /** Fetched, or no business of this session any more. Returns the rung by which this session heard of it last. */
  settle(id: string): Rung | undefined {
    const offer = this.#offers.get(id)
    this.#offers.delete(id)
    this.#lastStep = this.#lastStep.filter(other => other !== id)
    return offer?.tried.at(-1)
  }

  /** What to do at `now`. Undefined: nothing yet. */
  next(now: number, view: View): WakeStep | undefined {
    const waiting = [...this.#offers.values()].filter(({ mail }) => mayWake(mail))
    const rungOf = ({ tried }: Offer) => view.rungs.find(rung => !tried.includes(rung))
    const untried = waiting.filter(({ tried }) => tried.length === 0)
    const isDue = (offer: Offer) => {
      // Until what the last step told of was fetched, or its time is over, nothing else wakes.
      if (this.#lastStep.length > 0 && now - this.#stepAt < this.#patience(offer, view)) return false
      return offer.tried.length > 0 ? now - offer.since >= this.#patience(offer, view) : isGathered(offer, untried, now)
    }
    const due = waiting.find(offer => rungOf(offer) && isDue(offer))
    if (!due) return undefined
    const rung = rungOf(due)!
    // What came later joins: one wake for all.
    return { rung, mail: waiting.filter(offer => rungOf(offer) === rung).map(({ mail }) => mail) }
  }

  /** The ids of what no rung is left for at `now`, the time of the last one over. */
  spent(now: number, view: View): string[] {
    const isSpent = (offer: Offer) =>
      offer.tried.length > 0 &&
      now - offer.since >= this.#patience(offer, view) &&
      view.rungs.every(rung => offer.tried.includes(rung))
    return [...this.#offers].filter(([, offer]) => isSpent(offer)).map(([id]) => id)
  }

  /** The step is taken. */
  took({ rung, mail }: WakeStep, now: number): void {
    for (const { id } of mail) {
      const offer = this.#offers.get(id)
      offer?.tried.push(rung)
      if (offer) offer.since = now
    }
    this.#stepAt = now
    this.#lastStep = mail.map(({ id }) => id)
  }

  /** How long the last step may go without a fetch before `offer` takes its next one, in ms. */
  #patience({ mail, tried }: Offer, { isHeard }: View): number {
    if (isHeard === false) return stirMs
    // A session that cannot show whether it heard is not waited for where it is urgent; nor is one that was woken for other mail.
    return isUrgent(mail) && (isHeard === undefined || tried.length === 0) ? stirMs : rungMs
  }
}

function isUrgent(mail: WakeNews): boolean {
  return mail.kind === 'mail' && mail.intent === 'urgent'
}

/** Whether no more mail is waited for. Something urgent does not wait. */
function isGathered({ mail, since }: Offer, untried: readonly Offer[], now: number): boolean {
  if (isUrgent(mail)) return true
  return now - since >= burstMs || untried.every(other => now - other.since >= quietMs)
}
