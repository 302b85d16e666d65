import type { Rung } from './live-sessions.ts'
import { type Mail, mayWake } from './news.ts'

/** How long a session has to fetch what a rung told it of, in ms, before the next rung is tried. */
export const rungMs = 30_000

/** How long mail is gathered before a wake, in ms: a burst is one wake. */
export const burstMs = 1000

/** Mail that this session is to fetch. */
interface Offer {
  mail: Mail
  tried: Rung[]
  /** When it was offered, or the last rung was tried; ms on a clock that never steps. */
  since: number
}

/** What to do now: wake the session by `rung` for `mail`. */
export interface WakeStep {
  rung: Rung
  mail: Mail[]
}

/**
 * The rungs that one session's mail goes up until it is fetched. Only what may wake a session climbs: the rest waits for a hook.
 * A step that was taken for some mail makes all other mail wait too, so that a session is woken once, not once for each.
 */
export class Ladder {
  readonly #offers = new Map<string, Offer>()
  #stepAt = Number.NEGATIVE_INFINITY
  #lastStep: string[] = []

  offer(mail: Mail, now: number): void {
    if (!this.#offers.has(mail.id)) this.#offers.set(mail.id, { mail, tried: [], since: now })
  }

  has(id: string): boolean {
    return this.#offers.has(id)
  }

  /** The ids of all mail that was offered and is neither fetched nor gone. */
  get ids(): string[] {
    return [...this.#offers.keys()]
  }

  /** Fetched, or no business of this session any more. Answers the rung by which this session heard of it last. */
  settle(id: string): Rung | undefined {
    const offer = this.#offers.get(id)
    this.#offers.delete(id)
    this.#lastStep = this.#lastStep.filter(other => other !== id)
    return offer?.tried.at(-1)
  }

  /** What to do at `now`, where these rungs can be used, in their order. Undefined: nothing yet. */
  next(now: number, rungs: readonly Rung[]): WakeStep | undefined {
    // Until what the last step told of was fetched, or its time is over, nothing else wakes.
    if (this.#lastStep.length > 0 && now - this.#stepAt < rungMs) return undefined
    const waiting = [...this.#offers.values()].filter(({ mail }) => mayWake(mail))
    const rungOf = ({ tried }: Offer) => rungs.find(rung => !tried.includes(rung))
    const due = waiting.find(
      offer => rungOf(offer) && now - offer.since >= (offer.tried.length > 0 ? rungMs : waitFor(offer.mail)),
    )
    if (!due) return undefined
    const rung = rungOf(due)!
    // What came later joins: one wake for all.
    return { rung, mail: waiting.filter(offer => rungOf(offer) === rung).map(({ mail }) => mail) }
  }

  /** The ids of what no rung is left for at `now`, the time of the last one over. */
  spent(now: number, rungs: readonly Rung[]): string[] {
    const isSpent = ({ tried, since }: Offer) =>
      tried.length > 0 && now - since >= rungMs && rungs.every(rung => tried.includes(rung))
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
}

function waitFor({ intent }: Mail): number {
  return intent === 'urgent' ? 0 : burstMs
}
