import { setImmediate as turn } from 'node:timers/promises'
import type { Runtime } from '../../src/notice/runtime.ts'

/** A `Runtime` whose time passes only by `pass`, and whose processes are those in `running`. */
export class FakeRuntime implements Runtime {
  readonly place = 'fake'
  readonly pid: number
  readonly running: Set<number>
  #now = Date.parse('2026-01-01T00:00:00Z')
  readonly #timers = new Set<{ at: number; work: () => void }>()

  constructor(pid = 1000, running = new Set([pid])) {
    this.pid = pid
    this.running = running
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#now
  }

  after(ms: number, work: () => void): () => void {
    const timer = { at: this.#now + ms, work }
    this.#timers.add(timer)
    return () => void this.#timers.delete(timer)
  }

  isRunning(pid: unknown): boolean {
    return this.running.has(pid as number)
  }

  /** Lets `ms` pass: runs the timers that become due, in order, and their consequences. */
  async pass(ms: number): Promise<void> {
    const end = this.#now + ms
    for (;;) {
      await turn()
      const [next] = [...this.#timers].filter(({ at }) => at <= end).sort((a, b) => a.at - b.at)
      if (!next) break
      this.#now = Math.max(this.#now, next.at)
      this.#timers.delete(next)
      next.work()
    }
    this.#now = end
  }
}
