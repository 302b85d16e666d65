/** When each token was last used, as far as this process has seen it. Costs a write of memory for each request, and none of the disk. */
export class TokenUses {
  /** In ms since 1970, by the token's public id. */
  readonly #lastAt = new Map<string, number>()
  #unsaved = new Set<string>()
  readonly #now: () => number

  constructor(now: () => number = Date.now) {
    this.#now = now
  }

  saw(tokenId: string): void {
    this.#lastAt.set(tokenId, this.#now())
    this.#unsaved.add(tokenId)
  }

  /** Undefined when this process has not seen it used. */
  of(tokenId: string): number | undefined {
    return this.#lastAt.get(tokenId)
  }

  forget(tokenId: string): void {
    this.#lastAt.delete(tokenId)
    this.#unsaved.delete(tokenId)
  }

  /** The times that changed since this was last called. */
  takeUnsaved(): ReadonlyMap<string, number> {
    const unsaved = this.#unsaved
    this.#unsaved = new Set()
    return new Map([...unsaved].map(id => [id, this.#lastAt.get(id)!]))
  }
}
