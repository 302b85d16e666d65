import type { Logger } from 'pino'
import type { Hub } from './hub.ts'
import type { Commit } from './journal/journal.ts'
import type { OutgoingAdmin } from './outgoing-admin.ts'
import { hasOutgoing } from './state/query/outgoing.ts'

/** The lazily loaded part, see `webhooks/outgoing/`. */
interface Loaded extends OutgoingAdmin {
  committed(commit: Commit): void
  close(): Promise<void>
}

/** The webhooks that post events. Their code is loaded only if there is one, or when the admin uses them. */
export class Outgoing {
  readonly #parts: { hub: Hub; log: Logger }
  #loading: Promise<Loaded> | undefined
  #loaded: Loaded | undefined
  #isClosed = false

  constructor(parts: { hub: Hub; log: Logger }) {
    this.#parts = parts
    parts.hub.onOutgoingChanged(() => void this.admin().catch(() => {}))
    if (hasOutgoing(parts.hub.state.db))
      void this.admin().catch(err => parts.log.error({ err }, 'webhooks cannot post'))
  }

  /** Loads the webhooks and returns the admin's operations on them. */
  admin(): Promise<OutgoingAdmin> {
    this.#loading ??= import('./webhooks/outgoing/outgoing-webhooks.ts').then(({ OutgoingWebhooks }) => {
      this.#loaded = new OutgoingWebhooks(this.#parts)
      if (this.#isClosed) void this.#loaded.close()
      return this.#loaded
    })
    return this.#loading
  }

  /** Handles a batch that is on disk. */
  committed(commit: Commit): void {
    this.#loaded?.committed(commit)
  }

  /** Stops posting; a post in progress has a moment to finish. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#loaded?.close()
  }
}
