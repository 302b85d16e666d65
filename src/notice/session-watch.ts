import { type Activity, type ClientRecord, readClientRecord } from './client-record.ts'
import { type OpenPrompt, openPrompt } from './open-prompt.ts'
import type { SessionDir } from './session-dir.ts'
import { readState, type SessionState } from './session-state.ts'

export interface SessionWatchOptions {
  dir: SessionDir
  instance: string | undefined
  env: NodeJS.ProcessEnv
  /** Process id of Claude Code. */
  claude: number | undefined
}

/**
 * Observes the activity of one session. There are two sources: Claude Code's own record, which lags slightly, and the hooks, which do not
 * run when the user interrupts a turn. The newer of both counts.
 */
export class SessionWatch {
  readonly #options: SessionWatchOptions
  #record: ClientRecord | undefined

  constructor(options: SessionWatchOptions) {
    this.#options = options
    this.refresh()
  }

  /** Reads Claude Code's record of the session again. While it cannot be read, the last one stays in use. */
  refresh(): void {
    this.#record = readClientRecord(this.#options.env, this.#options.claude) ?? this.#record
  }

  get record(): ClientRecord | undefined {
    return this.#record
  }

  /** Whether no user sees this session: it must not be notified. */
  get isHidden(): boolean {
    return this.#record?.isHidden === true
  }

  get activity(): Activity {
    return this.doing?.activity ?? 'idle'
  }

  /** Current activity and when it began, ms since 1970. Undefined while neither the hooks nor the record have reported one. */
  get doing(): { activity: Activity; since: number } | undefined {
    const state = this.#state
    const { activity, since } = this.#record ?? { since: 0 }
    if (activity && since >= (state?.at ?? 0)) return { activity, since }
    return state && { activity: state.busy ? 'busy' : 'idle', since: state.at }
  }

  /** The permission prompt that waits for the session's user. */
  get prompt(): OpenPrompt | undefined {
    return openPrompt(this.#options.dir, this.#options.instance, this.#record)
  }

  /** Claude Code's permission mode; undefined until a hook has received it. */
  get permissionMode(): string | undefined {
    return this.#state?.mode
  }

  /**
   * Whether the session has started and its user has not entered a prompt yet: no hook has received the permission mode. A background
   * session does not count: it continues work that began elsewhere.
   */
  get hasJustBegun(): boolean {
    const state = this.#state
    return state !== undefined && state.mode === undefined && this.#record?.job === undefined
  }

  /** Whether the session acted after `at`, ms since 1970, or is in a turn now. Undefined where nothing reports that. */
  hasActedSince(at: number): boolean | undefined {
    if (this.activity !== 'idle') return true
    const state = this.#state
    if (!this.#record?.activity && !state) return undefined
    return Math.max(this.#record?.since ?? 0, state?.at ?? 0) > at
  }

  get #state(): SessionState | undefined {
    return readState(this.#options.dir, this.#options.instance)
  }
}
