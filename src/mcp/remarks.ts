import type { Keeper } from '../notice/keeper.ts'

/** Facts about the client that a session should be shown once: by its hooks, or else in the next tool result. */
export class Remarks {
  readonly #pending: { text: string; id?: string }[] = []

  /** Adds a fact. With `id` a hook may show it, as the remark of that name; without, only a tool result does. */
  add(text: string, id?: string): void {
    this.#pending.push({ text, ...(id !== undefined && { id }) })
  }

  /** Passes remarks with an id to the hooks, if the session has any. Those that cannot be written stay for the next tool result. */
  passToHooks(keeper: Pick<Keeper, 'hasHooks' | 'remark'>): void {
    if (!keeper.hasHooks) return
    for (const remark of this.#pending.filter(({ id }) => id !== undefined)) {
      try {
        keeper.remark(remark.id!, remark.text)
        this.#pending.splice(this.#pending.indexOf(remark), 1)
      } catch {
        // The next tool result shows it.
      }
    }
  }

  /** Removes and returns all texts, for a tool result. */
  take(): string[] {
    return this.#pending.splice(0).map(({ text }) => text)
  }
}
