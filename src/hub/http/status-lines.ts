/** How long what a caller of `POST /mcp` said of itself is shown whenever it is there, in ms: no process of ours could say it again. */
const lifeMs = 24 * 3600_000

/** Most lines that are kept. More, and the oldest goes: a caller may name any number of projects. */
const maxKept = 10_000

interface Said {
  status: string
  /** Ms since 1970. */
  statusSetAt: number
}

/** What the sessions of `POST /mcp` said of themselves, which no heartbeat of theirs repeats. Of the moment: a restart forgets it. */
export class StatusLines {
  readonly #said = new Map<string, Said>()

  /** `text` is shown already as text of others may be; empty takes the line away. */
  set(speaker: string, text: string, now: number): void {
    this.#said.delete(speaker)
    if (text === '') return
    if (this.#said.size >= maxKept) this.#said.delete(this.#said.keys().next().value!)
    this.#said.set(speaker, { status: text, statusSetAt: now })
  }

  of(speaker: string, now: number): Said | undefined {
    const said = this.#said.get(speaker)
    if (!said || now - said.statusSetAt <= lifeMs) return said
    this.#said.delete(speaker)
    return undefined
  }
}
