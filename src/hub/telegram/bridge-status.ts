/** State of the bridge, in memory, for `/status`, the admin and the log. */
export class BridgeStatus {
  /** Time of Telegram's last response to a request for updates, in ms since 1970. */
  lastPollAt: number | undefined
  bot: { id: number; username: string; hearsAll: boolean } | undefined
  toldToWait = 0
  readonly #troubles = new Map<string, { what: string; until: number }>()
  readonly #onTrouble: (what: string) => void

  /** Calls `onTrouble` once for each problem, when it begins. */
  constructor(onTrouble: (what: string) => void) {
    this.#onTrouble = onTrouble
  }

  /** Current problems, one sentence each. */
  get troubles(): string[] {
    return [...this.#troubles.values()].filter(({ until }) => until > performance.now()).map(({ what }) => what)
  }

  /** Returns the current problem of `part`, if there is one. */
  troubleWith(part: string): string | undefined {
    const trouble = this.#troubles.get(part)
    return trouble && trouble.until > performance.now() ? trouble.what : undefined
  }

  /** Records a problem of `part`, which lasts until `well` or for `forMs`. */
  trouble(part: string, what: string, forMs = Number.POSITIVE_INFINITY): void {
    if (this.troubleWith(part) !== what) this.#onTrouble(what)
    this.#troubles.set(part, { what, until: performance.now() + forMs })
  }

  /** Clears all that concerns Telegram, once another hub runs the bridge and reports its problems itself. */
  ended(): void {
    this.lastPollAt = undefined
    for (const part of this.#troubles.keys()) if (!part.startsWith('member ')) this.#troubles.delete(part)
  }

  /** Clears the problem of `part`. */
  well(part: string): void {
    this.#troubles.delete(part)
  }
}
