/** Wakes whoever waits for news of a member. A wake carries no data: the woken re-reads from its own cursor. */
export class Wakes {
  readonly #waiting = new Map<number, Set<() => void>>()

  /** Wakes all who wait for any of `members` now. */
  wake(members: Iterable<number>): void {
    for (const member of members) {
      const waiting = this.#waiting.get(member)
      if (!waiting) continue
      this.#waiting.delete(member)
      for (const resolve of waiting) resolve()
    }
  }

  /** Resolves at the next wake of `member`, or when `signal` aborts. */
  next(member: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted) return Promise.resolve()
    return new Promise(resolve => {
      const waiting = this.#waiting.get(member) ?? new Set()
      this.#waiting.set(member, waiting)
      const woken = () => {
        signal.removeEventListener('abort', aborted)
        resolve()
      }
      const aborted = () => {
        waiting.delete(woken)
        if (waiting.size === 0 && this.#waiting.get(member) === waiting) this.#waiting.delete(member)
        resolve()
      }
      waiting.add(woken)
      signal.addEventListener('abort', aborted, { once: true })
    })
  }
}
