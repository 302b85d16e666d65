/** The steps that undo a start, in the order in which they were added. */
export class Cleanup {
  #steps: (() => unknown)[] = []

  /** Adds a step that runs before those that were added earlier. */
  add(step: () => unknown): void {
    this.#steps.push(step)
  }

  /** Runs each step once, the latest first. Rejects with the error of the first that fails; the rest then do not run. */
  async run(): Promise<void> {
    for (const step of this.#steps.splice(0).reverse()) await step()
  }
}
