/** Most jobs of one caller that wait. */
export const maxWaitingOfOne = 32

/** Jobs of several callers, who take turns: however many one has, the next of another is the next but one at most per caller. */
export class FairQueue<Job> {
  /** In the order in which the callers come next. */
  readonly #waiting = new Map<string, Job[]>()

  /** Adds a job of `caller`, unless too many of its own wait. Returns whether it was added. */
  add(caller: string, job: Job): boolean {
    const own = this.#waiting.get(caller) ?? []
    if (own.length >= maxWaitingOfOne) return false
    own.push(job)
    this.#waiting.set(caller, own)
    return true
  }

  /** Takes the oldest job of the caller who comes next; undefined when none waits. */
  take(): Job | undefined {
    for (const [caller, own] of this.#waiting) {
      const job = own.shift()
      // Whoever was served goes to the end.
      this.#waiting.delete(caller)
      if (own.length > 0) this.#waiting.set(caller, own)
      return job
    }
    return undefined
  }

  /** Takes all jobs. */
  clear(): Job[] {
    const all = [...this.#waiting.values()].flat()
    this.#waiting.clear()
    return all
  }
}
