import { readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { html } from '../html.ts'
import type { OutgoingPost } from '../outgoing-post.ts'

/** Interval at which a running hub updates its file, in ms. */
const beatMs = 10_000

/** Time for which Telegram stores undelivered updates, in ms (core.telegram.org/bots/api#getting-updates). */
const keptMs = 24 * 3600 * 1000

/**
 * Measures how long the hub was down, by the modification time of a small file that a running hub updates. The file holds a downtime that
 * has not been announced yet, so it is announced after another restart, once.
 */
export class Downtime {
  readonly #file: string
  readonly #timer: NodeJS.Timeout
  #pending: { from: number; to: number } | undefined

  /** Ignores downtimes of less than `leastMs`. */
  constructor(file: string, leastMs: number, now = Date.now()) {
    this.#file = file
    const last = readBefore(file)
    this.#pending = last?.pending
    if (last && now - last.at > leastMs) this.#pending = { from: last.pending?.from ?? last.at, to: now }
    this.#write()
    this.#timer = setInterval(() => this.#beat(), beatMs).unref()
  }

  /** Returns the notice of the downtime for the group, if there is one. */
  notice(): OutgoingPost | undefined {
    const pending = this.#pending
    if (!pending) return undefined
    const minutes = Math.max(1, Math.round((pending.to - pending.from) / 60_000))
    const span = minutes < 120 ? `${minutes} min` : `${Math.round(minutes / 60)} h`
    const lost =
      pending.to - pending.from > keptMs
        ? html` Telegram stores messages to me for 24 hours: older ones from that time were lost.`
        : html``
    const from = new Date(pending.from).toISOString().slice(0, 16).replace('T', ' ')
    return {
      post: {
        text: html`The hub is back. It was down for ${span}, from ${from} UTC. What it had confirmed is all there; machines send now what they kept.${lost}`,
      },
      accepted: async () => this.#announced(),
      refused: async () => this.#announced(),
    }
  }

  /** Drops the notice: another hub ran the bridge meanwhile. */
  forget(): void {
    if (this.#pending) this.#announced()
  }

  close(): void {
    clearInterval(this.#timer)
    this.#beat()
  }

  #announced(): void {
    this.#pending = undefined
    this.#write()
  }

  #write(): void {
    try {
      writeFileSync(this.#file, this.#pending ? JSON.stringify(this.#pending) : '', { mode: 0o600 })
    } catch {
      // A full disk: at worst a downtime is announced twice, or as too short.
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

function readBefore(file: string): { at: number; pending: { from: number; to: number } | undefined } | undefined {
  try {
    const text = readFileSync(file, 'utf8')
    return { at: statSync(file).mtimeMs, pending: text === '' ? undefined : JSON.parse(text) }
  } catch {
    return undefined
  }
}
