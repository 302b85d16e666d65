/** Most waiting jobs of one caller. */
export const maxWaitingOfOne = 32

/** A queue in which callers take turns: however many jobs one has, each other caller gets one in between. */
export class FairQueue<Job> {
  /** Jobs by caller, in the order of the callers' turns. */
  readonly #waiting = new Map<string, Job[]>()

  /** Adds a job of `caller`, unless it has too many waiting. Returns whether it was added. */
  add(caller: string, job: Job): boolean {
    const own = this.#waiting.get(caller) ?? []
    if (own.length >= maxWaitingOfOne) return false
    own.push(job)
    this.#waiting.set(caller, own)
    return true
  }

  /** Removes and returns the oldest job of the next caller, or undefined if none waits. */
  take(): Job | undefined {
    for (const [caller, own] of this.#waiting) {
      const job = own.shift()
      // A caller goes to the end after its turn.
      this.#waiting.delete(caller)
      if (own.length > 0) this.#waiting.set(caller, own)
      return job
    }
    return undefined
  }

  /** Removes and returns all jobs. */
  clear(): Job[] {
    const all = [...this.#waiting.values()].flat()
    this.#waiting.clear()
    return all
  }
}
