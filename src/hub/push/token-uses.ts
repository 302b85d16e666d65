/** When each token was last used, as far as this process, or another hub of its history, has seen it. Costs a write of memory for each request, and none of the disk. */
export class TokenUses {
  /** In ms since 1970, by the token's public id. */
  readonly #lastAt = new Map<string, number>()
  #unsaved = new Set<string>()
  /** The times that another hub has told of. */
  readonly #elsewhereAt = new Map<string, number>()
  readonly #now: () => number

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  saw(tokenId: string): void {
    this.#lastAt.set(tokenId, this.#now())
    this.#unsaved.add(tokenId)
  }

  /** Another hub has seen a token used at `at`. */
  sawElsewhere(tokenId: string, at: number): void {
    if (at <= (this.#lastAt.get(tokenId) ?? 0)) return
    this.#lastAt.set(tokenId, at)
    this.#elsewhereAt.set(tokenId, at)
    this.#unsaved.add(tokenId)
  }

  /** Whether `at`, the last use of a token, was at this hub. */
  wasHere(tokenId: string, at: number): boolean {
    return this.#elsewhereAt.get(tokenId) !== at
  }

  /** Undefined when neither this process nor another hub has seen it used. */
  of(tokenId: string): number | undefined {
    return this.#lastAt.get(tokenId)
  }

  forget(tokenId: string): void {
    this.#lastAt.delete(tokenId)
    this.#elsewhereAt.delete(tokenId)
    this.#unsaved.delete(tokenId)
  }

  /** The times that changed since this was last called. */
  takeUnsaved(): ReadonlyMap<string, number> {
    const unsaved = this.#unsaved
    this.#unsaved = new Set()
    return new Map([...unsaved].map(id => [id, this.#lastAt.get(id)!]))
  }
}
