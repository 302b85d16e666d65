import type { Logger } from 'pino'
import type { Hub } from './hub.ts'
import type { Commit } from './journal/journal.ts'
import type { OutgoingAdmin } from './outgoing-admin.ts'
import { hasOutgoing } from './state/query/outgoing.ts'

/** What is loaded: see `webhooks/outgoing/`. */
interface Loaded extends OutgoingAdmin {
  committed(commit: Commit): void
  close(): Promise<void>
}

/** The webhooks that post events, loaded where there is one, or when the admin asks for them. */
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

  /** Loads what the admin asks of them. */
  admin(): Promise<OutgoingAdmin> {
    this.#loading ??= import('./webhooks/outgoing/outgoing-webhooks.ts').then(({ OutgoingWebhooks }) => {
      this.#loaded = new OutgoingWebhooks(this.#parts)
      if (this.#isClosed) void this.#loaded.close()
      return this.#loaded
    })
    return this.#loading
  }

  /** A batch is on disk. */
  committed(commit: Commit): void {
    this.#loaded?.committed(commit)
  }

  /** Ends what goes on; a post that is under way may finish for a moment. */
  async close(): Promise<void> {
    this.#isClosed = true
    await this.#loaded?.close()
  }
}
