/** Time for which a hub that rejected newer fields gets requests without them, in ms, unless it was away meanwhile. */
const plainMs = 10 * 60_000

/** A period in which a hub gets only requests that older hubs accept, since it rejected newer fields. */
export class PlainSpell {
  #until = 0
  #interruptions = 0

  /** Reports whether the period is on. It ends when `interruptions` (of `HubClient`) changes: the hub may have been upgraded. */
  isOn(interruptions: number): boolean {
    return performance.now() < this.#until && interruptions === this.#interruptions
  }

  begin(interruptions: number): void {
    this.#until = performance.now() + plainMs
    this.#interruptions = interruptions
  }
}
