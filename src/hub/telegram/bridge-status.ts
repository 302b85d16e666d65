/** How the bridge fares: kept in memory, for `/status`, the admin and the log. */
export class BridgeStatus {
  /** Ms since 1970, of the last time that Telegram answered a request for updates. */
  lastPollAt: number | undefined
  bot: { id: number; username: string; hearsAll: boolean } | undefined
  toldToWait = 0
  readonly #troubles = new Map<string, { what: string; until: number }>()
  readonly #onTrouble: (what: string) => void

  /** `onTrouble` hears of each trouble once, when it begins. */
  constructor(onTrouble: (what: string) => void) {
    this.#onTrouble = onTrouble
  }

  /** What is wrong, each in a sentence. */
  get troubles(): string[] {
    return [...this.#troubles.values()].filter(({ until }) => until > performance.now()).map(({ what }) => what)
  }

  /** What is wrong with `part`, if anything. */
  troubleWith(part: string): string | undefined {
    const trouble = this.#troubles.get(part)
    return trouble && trouble.until > performance.now() ? trouble.what : undefined
  }

  /** Something is wrong with `part`: until it is `well` again, or for so long, in ms. */
  trouble(part: string, what: string, forMs = Number.POSITIVE_INFINITY): void {
    if (this.troubleWith(part) !== what) this.#onTrouble(what)
    this.#troubles.set(part, { what, until: performance.now() + forMs })
  }

  /** The bridge of this hub carries nothing for now: what was wrong with Telegram is another hub's to know. */
  ended(): void {
    this.lastPollAt = undefined
    for (const part of this.#troubles.keys()) if (!part.startsWith('member ')) this.#troubles.delete(part)
  }

  /** `part` is well again. */
  well(part: string): void {
    this.#troubles.delete(part)
  }
}
