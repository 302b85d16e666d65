/** Time for which the status line of a caller of `POST /mcp` is kept, in ms: without a client no heartbeat repeats it. */
const lifeMs = 24 * 3600_000

/** Most lines kept; beyond that the oldest is evicted, as a caller may name any number of projects. */
const maxKept = 10_000

interface StatusLine {
  status: string
  /** Ms since 1970. */
  statusSetAt: number
}

/** Status lines of the sessions of `POST /mcp`, which send no heartbeats. In memory only: a restart clears them. */
export class StatusLines {
  readonly #lines = new Map<string, StatusLine>()

  /** Sets the line of `speaker`. `text` must already be safe to show; an empty text removes the line. */
  set(speaker: string, text: string, now: number): void {
    this.#lines.delete(speaker)
    if (text === '') return
    if (this.#lines.size >= maxKept) this.#lines.delete(this.#lines.keys().next().value!)
    this.#lines.set(speaker, { status: text, statusSetAt: now })
  }

  of(speaker: string, now: number): StatusLine | undefined {
    const line = this.#lines.get(speaker)
    if (!line || now - line.statusSetAt <= lifeMs) return line
    this.#lines.delete(speaker)
    return undefined
  }
}
