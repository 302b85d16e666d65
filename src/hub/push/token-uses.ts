/** Tracks when each token was last used at this process or another hub of its history. A request costs a write to memory and none to the disk. */
export class TokenUses {
  /** Time of the last use in ms since 1970, by the token's public id. */
  readonly #lastAt = new Map<string, number>()
  #unsaved = new Set<string>()
  /** The same, as reported by other hubs. */
  readonly #elsewhereAt = new Map<string, number>()
  readonly #now: () => number

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  saw(tokenId: string): void {
    this.#lastAt.set(tokenId, this.#now())
    this.#unsaved.add(tokenId)
  }

  /** Records that a token was used at another hub at `at`. */
  sawElsewhere(tokenId: string, at: number): void {
    if (at <= (this.#lastAt.get(tokenId) ?? 0)) return
    this.#lastAt.set(tokenId, at)
    this.#elsewhereAt.set(tokenId, at)
    this.#unsaved.add(tokenId)
  }

  /** Reports whether `at`, the last use of a token, was at this hub. */
  wasHere(tokenId: string, at: number): boolean {
    return this.#elsewhereAt.get(tokenId) !== at
  }

  /** Returns undefined if neither this process nor another hub has seen it used. */
  of(tokenId: string): number | undefined {
    return this.#lastAt.get(tokenId)
  }

  forget(tokenId: string): void {
    this.#lastAt.delete(tokenId)
    this.#elsewhereAt.delete(tokenId)
    this.#unsaved.delete(tokenId)
  }

  /** Returns the times that changed since the previous call. */
  takeUnsaved(): ReadonlyMap<string, number> {
    const unsaved = this.#unsaved
    this.#unsaved = new Set()
    return new Map([...unsaved].map(id => [id, this.#lastAt.get(id)!]))
  }
}
