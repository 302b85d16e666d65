import type { Socket } from 'node:net'

/**
 * Time for which a connection must stay open after a response for the response to count as read, in ms. Less than the 4 s after
 * which Node's fetch closes an idle connection.
 */
const settleMs = 2000

/**
 * Waits for evidence that a client has read a response: another request of that client while the connection is still open, or the
 * connection staying open for 2 s. If the connection closes earlier, there is no evidence: the response may be lost.
 */
export class NextSign {
  readonly #awaited = new Map<string, Set<() => unknown>>()

  /** Runs `work` at the next sign of `who`, whose response was sent on `socket`; never, if `socket` closes first. */
  next(socket: Socket, who: string, work: () => unknown): void {
    if (socket.destroyed) return
    const works = this.#awaited.get(who) ?? new Set()
    this.#awaited.set(who, works)
    const remove = () => {
      clearTimeout(timer)
      socket.off('close', remove)
      works.delete(workOnce)
      if (works.size === 0 && this.#awaited.get(who) === works) this.#awaited.delete(who)
    }
    const workOnce = () => {
      remove()
      return work()
    }
    const timer = setTimeout(workOnce, settleMs).unref()
    socket.once('close', remove)
    works.add(workOnce)
  }

  /** Runs the work that waits for a request of `who`. Resolves when it is done. */
  async came(who: string): Promise<void> {
    await Promise.all([...(this.#awaited.get(who) ?? [])].map(work => work()))
  }
}
