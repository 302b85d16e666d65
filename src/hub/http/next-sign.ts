import type { Socket } from 'node:net'

/**
 * How long a connection must outlive an answer before that answer counts as read, in ms. Less than the 4 s after which the
 * client of Node's fetch closes a connection that it does not use.
 */
const settleMs = 2000

/**
 * Waits for the next sign of life of whoever was answered: a request of theirs while the connection of that answer is still
 * open, or that it stays open for 2 s. From one whose connection is closed or lost before, no sign comes: nobody knows whether
 * the answer was read.
 */
export class NextSign {
  readonly #awaited = new Map<string, Set<() => unknown>>()

  /** Does `work` at the next sign of `who`, which was answered on `socket`, or never. */
  next(socket: Socket, who: string, work: () => unknown): void {
    if (socket.destroyed) return
    const works = this.#awaited.get(who) ?? new Set()
    this.#awaited.set(who, works)
    const forget = () => {
      clearTimeout(timer)
      socket.off('close', forget)
      works.delete(workOnce)
      if (works.size === 0 && this.#awaited.get(who) === works) this.#awaited.delete(who)
    }
    const workOnce = () => {
      forget()
      return work()
    }
    const timer = setTimeout(workOnce, settleMs).unref()
    socket.once('close', forget)
    works.add(workOnce)
  }

  /** A request of `who` has come. Resolves when what waited for it is done. */
  async came(who: string): Promise<void> {
    await Promise.all([...(this.#awaited.get(who) ?? [])].map(work => work()))
  }
}
