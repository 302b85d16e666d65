/** How the bridge fares: kept in memory, for `/status`, the admin and the log. */
export class BridgeStatus {
  /** Ms since 1970, of the last time that Telegram answered a request for updates. */
  lastPollAt: number | undefined
  bot: { id: number; username: string; hearsAll: boolean } | undefined
  toldToWait = 0
  readonly #troubles = new Map<string, string>()
  readonly #onTrouble: (what: string) => void

  /** `onTrouble` hears of each trouble once, when it begins. */
  constructor(onTrouble: (what: string) => void) {
    this.#onTrouble = onTrouble
  }

  /** What is wrong, each in a sentence. */
  get troubles(): string[] {
    return [...this.#troubles.values()]
  }

  /** Something is wrong with `part`. */
  trouble(part: string, what: string): void {
    if (this.#troubles.get(part) !== what) this.#onTrouble(what)
    this.#troubles.set(part, what)
  }

  /** `part` is well again. */
  well(part: string): void {
    this.#troubles.delete(part)
  }
}
