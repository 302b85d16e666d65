import { readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { html } from '../html.ts'
import type { OutgoingPost } from '../outgoing-post.ts'

/** How often a hub that runs says so, in ms. */
const beatMs = 10_000

/** How long Telegram keeps what it could not hand over, in ms (core.telegram.org/bots/api#getting-updates). */
const keptMs = 24 * 3600 * 1000

/**
 * Knows how long the hub was away: by a small file whose time is renewed while it runs. What was not told of an absence stands in
 * it, so that it is told after another restart, once.
 */
export class Downtime {
  readonly #file: string
  readonly #timer: NodeJS.Timeout
  #owed: { from: number; to: number } | undefined

  /** An absence of less than `leastMs` is not worth a word. */
  constructor(file: string, leastMs: number, now = Date.now()) {
    this.#file = file
    const last = readBefore(file)
    this.#owed = last?.owed
    if (last && now - last.at > leastMs) this.#owed = { from: last.owed?.from ?? last.at, to: now }
    this.#write()
    this.#timer = setInterval(() => this.#beat(), beatMs).unref()
  }

  /** What to tell the people of it, if anything. */
  notice(): OutgoingPost | undefined {
    const owed = this.#owed
    if (!owed) return undefined
    const minutes = Math.max(1, Math.round((owed.to - owed.from) / 60_000))
    const span = minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
    const lost =
      owed.to - owed.from > keptMs
        ? html` Telegram keeps what is written to me for 24 hours: older messages of that time did not reach anybody.`
        : html``
    const from = new Date(owed.from).toISOString().slice(0, 16).replace('T', ' ')
    return {
      post: {
        text: html`The hub is back. It was down for ${span}, from ${from} UTC. What it had confirmed is all there; machines send now what they kept.${lost}`,
      },
      accepted: async () => this.#told(),
      refused: async () => this.#told(),
    }
  }

  /** The bridge was carried on by another hub meanwhile: there is nothing to tell. */
  forget(): void {
    if (this.#owed) this.#told()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#beat()
  }

  #told(): void {
    this.#owed = undefined
    this.#write()
  }

  #write(): void {
    try {
      writeFileSync(this.#file, this.#owed ? JSON.stringify(this.#owed) : '', { mode: 0o600 })
    } catch {
      // A full disk: at worst an absence is told a second time, or shorter than it was.
    }
  }

  #beat(): void {
    try {
      utimesSync(this.#file, new Date(), new Date())
    } catch {
      this.#write()
    }
  }
}

function readBefore(file: string): { at: number; owed: { from: number; to: number } | undefined } | undefined {
  try {
    const text = readFileSync(file, 'utf8')
    return { at: statSync(file).mtimeMs, owed: text === '' ? undefined : JSON.parse(text) }
  } catch {
    return undefined
  }
}
