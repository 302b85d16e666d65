import type { HubClient } from '../client/hub-client.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { maxPage, type ToldHow } from '../protocol/messages.ts'
import { inboxRoutes } from '../protocol/routes/inbox.ts'
import { type Runtime, systemRuntime } from './runtime.ts'

/** Pause after a failed report, in ms. */
const pauseMs = 5000

/** Most messages whose reports are kept. Reporting older ones again changes nothing at the hub. */
const maxKept = 1000

export interface ToldReportsOptions {
  /** Id of the session at the hub. */
  session: string
  client: () => HubClient
  runtime?: Runtime
}

/** Reports to the hub of which messages one session was notified, for their receipts. A lost report only leaves a receipt without that. */
export class ToldReports {
  readonly #options: ToldReportsOptions
  readonly #runtime: Runtime
  /** Reports so far, by the id of the message. */
  readonly #reported = new Map<string, ToldHow>()
  #isReporting = false
  #notBefore = Number.NEGATIVE_INFINITY
  /** The hub is too old for such reports. */
  #isRefused = false

  constructor(options: ToldReportsOptions) {
    this.#options = options
    this.#runtime = options.runtime ?? systemRuntime
  }

  /** Reports those of `told` that are new, one request for each way. Never throws. */
  async report(told: ReadonlyMap<string, ToldHow>): Promise<void> {
    if (this.#isReporting || this.#isRefused || this.#runtime.monotonic() < this.#notBefore) return
    this.#isReporting = true
    try {
      for (const how of new Set(told.values())) {
        const ids = [...told.keys()].filter(id => told.get(id) === how && this.#isDue(id, how)).slice(0, maxPage)
        if (ids.length === 0) continue
        await this.#options.client().call(inboxRoutes.markTold, { body: { ids, session: this.#options.session, how } })
        this.#note(ids, how)
      }
    } catch (error) {
      this.#isRefused = error instanceof ClaudeNetError && (error.code === 'not_found' || error.code === 'invalid')
      this.#notBefore = this.#runtime.monotonic() + pauseMs
    } finally {
      this.#isReporting = false
    }
  }

  /** Reports whether to send a report: the first one for a message, or that of a wake after that of a hook. */
  #isDue(id: string, how: ToldHow): boolean {
    const before = this.#reported.get(id)
    return before === undefined || (before === 'hook' && how !== 'hook')
  }

  #note(ids: readonly string[], how: ToldHow): void {
    for (const id of ids) {
      this.#reported.delete(id)
      this.#reported.set(id, how)
    }
    for (const id of this.#reported.keys()) {
      if (this.#reported.size <= maxKept) break
      this.#reported.delete(id)
    }
  }
}
