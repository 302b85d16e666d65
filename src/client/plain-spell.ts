/** How long a hub that is too old for what a request says is spared that, in ms, unless it was away meanwhile. */
const plainMs = 10 * 60_000

/** The time in which a hub is asked only what hubs of before take, since it has refused more. */
export class PlainSpell {
  #until = 0
  #interruptions = 0

  /** `interruptions`: how often the hub was away so far (`HubClient`). One that comes back may be a newer one. */
  isOn(interruptions: number): boolean {
    return performance.now() < this.#until && interruptions === this.#interruptions
  }

  begin(interruptions: number): void {
    this.#until = performance.now() + plainMs
    this.#interruptions = interruptions
  }
}
