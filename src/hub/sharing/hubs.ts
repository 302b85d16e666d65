import { ClaudeNetError } from '../../protocol/errors.ts'
import { HubKey } from '../../protocol/hub-key.ts'
import type { HubsAnswer } from '../../protocol/hubs.ts'
import { version } from '../../protocol/version.ts'
import { type Command, entryVersion, type ResultOf } from '../state/commands.ts'
import { allHubs, type HubRow, rulesInForce } from '../state/query/hubs.ts'
import type { State } from '../state/state.ts'
import { timestamp } from '../state/timestamp.ts'
import type { Board } from './board.ts'
import type { Duty } from './duty.ts'
import { type HubState, hubStateTopic, readHubState } from './hub-news.ts'

/** How often this hub shows on the board how far it is, in ms, where that has changed. */
const showMs = 2000

/** Pauses before an announcement that failed is tried again, in ms: the first, doubled each time up to the last. */
const retryMs = { first: 1000, last: 30_000 }

/** How this hub is reached, and which part of the log it can do without. */
export interface Ways {
  url?: string
  ssh?: string
  hubKey?: string
  /** See `hub.announce`. */
  snapshot?: number
}

export interface HubsOptions {
  /** What this hub is called among those of its history. */
  name: string
  /** Whether it shares its history; where not, nothing is written or shown. */
  isShared: boolean
  state: State
  board: Board
  duty: Duty
  /** Why this hub takes nothing: see `Journal.apart`. */
  apart: () => string | undefined
  submit: <C extends Command>(command: C) => Promise<ResultOf<C>>
  /** How it is reached now. */
  ways: () => Ways
  /** Wall clock, ms since 1970. */
  now?: () => number
}

type Listed = HubsAnswer['hubs'][number]

/**
 * The hubs of one history: announces this one, shows the others how far it is, knows how far they are, and has the rules raised once all
 * of them know newer ones. What `hub.announce` says is durable; what the board says is only true now.
 */
export class Hubs {
  readonly name: string
  readonly #options: HubsOptions
  readonly #now: () => number
  /** What was heard last of each other hub, and when. */
  readonly #heard = new Map<string, { state: HubState; at: number }>()
  readonly #end: (() => void)[] = []
  #shown = ''
  #announcing: Promise<void> | undefined
  #retry: NodeJS.Timeout | undefined
  #isRaising = false
  #isClosed = false

  constructor(options: HubsOptions) {
    this.name = options.name
    this.#options = options
    this.#now = options.now ?? Date.now
    if (!options.isShared) return
    const { board } = options
    this.#end.push(board.onChange((hub, topic, value) => topic === hubStateTopic && this.#hear(hub, value)))
    for (const [hub, topics] of board.peers) this.#hear(hub, topics.get(hubStateTopic))
    const timer = setInterval(() => this.#everyLook(), showMs).unref()
    this.#end.push(() => clearInterval(timer))
    this.#show()
  }

  /** Announces this hub where it has not said so yet, until that is durable. Resolves after the first try, which may have failed. */
  announce(): Promise<void> {
    if (!this.#options.isShared || this.#isClosed) return Promise.resolve()
    this.#announcing ??= this.#announce(retryMs.first).finally(() => {
      this.#announcing = undefined
    })
    return this.#announcing
  }

  /** The hubs of this history, or some of them, are others: this one announces itself again where it was forgotten. */
  changed(): void {
    if (!allHubs(this.#options.state.db).some(({ name }) => name === this.name)) void this.announce()
    void this.#raise()
  }

  /** Each hub, by name; of this one alone where it shares nothing. */
  list({ isAdmin }: { isAdmin: boolean }): HubsAnswer {
    const { isShared, state } = this.#options
    const rows = new Map<string, HubRow | undefined>(allHubs(state.db).map(row => [row.name, row]))
    if (!isShared) rows.clear()
    rows.set(this.name, rows.get(this.name))
    // A hub that is there and has not announced itself is no place for members to go to.
    if (isAdmin) for (const name of this.#options.board.peers.keys()) rows.set(name, rows.get(name))
    const furthest = Math.max(state.position.offset, ...[...this.#heard.values()].map(each => each.state.offset))
    const hubs = [...rows]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, row]) => ({ ...this.#known(name, row), ...(isAdmin && this.#seen(name, row, furthest)) }))
    return isAdmin ? { hubs, rules: isShared ? rulesInForce(state.db) : null } : { hubs }
  }

  /** The same for the admin, where this hub has others beside it, or may have; null for one that stands alone. */
  status(): HubsAnswer | null {
    return this.#options.isShared ? this.list({ isAdmin: true }) : null
  }

  /** The hubs that have announced themselves, and the offset at which the kept snapshot of each stands. */
  get snapshots(): readonly { name: string; snapshot: number }[] {
    return allHubs(this.#options.state.db)
  }

  /** Forgets a hub. Throws `not_found`, and `conflict` for one that is there. */
  async forget(name: string): Promise<void> {
    if (name === this.name) {
      throw new ClaudeNetError(
        'conflict',
        `${name} is the hub that was asked.`,
        'Stop it, and have another hub forget it.',
      )
    }
    if (this.#isLive(name)) {
      throw new ClaudeNetError('conflict', `The hub ${name} is running.`, 'Stop it first, and try again 10 s later.')
    }
    await this.#options.submit({ type: 'hub.forget', name })
    this.#heard.delete(name)
  }

  close(): void {
    this.#isClosed = true
    clearTimeout(this.#retry)
    for (const end of this.#end.splice(0)) end()
  }

  #isLive(name: string): boolean {
    return name === this.name || this.#options.board.peers.has(name)
  }

  #known(name: string, row: HubRow | undefined): Listed {
    const self = name === this.name
    const { url = null, ssh = null, hubKey = null } = self ? this.#options.ways() : (row ?? {})
    return { name, url, ssh, hubKey: HubKey.safeParse(hubKey).data ?? null, self }
  }

  #seen(name: string, row: HubRow | undefined, furthest: number): Partial<Listed> {
    const heard = name === this.name ? { state: this.#ownState(), at: this.#now() } : this.#heard.get(name)
    const { state } = heard ?? {}
    return {
      version: state?.version ?? row?.version ?? 'unknown',
      entryVersion: state?.entryVersion ?? row?.entryVersion ?? 1,
      isLive: this.#isLive(name),
      offset: state?.offset ?? null,
      lag: state ? furthest - state.offset : null,
      seq: state?.seq ?? null,
      hash: state?.log ?? null,
      outcomes: state?.outcomes ?? null,
      heardAt: heard ? timestamp(heard.at) : null,
      duty: state?.duty === true && this.#isLive(name),
      apart: state?.apart ?? null,
    }
  }

  #ownState(): HubState {
    const { offset, seq, hash, outcomes } = this.#options.state.position
    const duty = this.#options.duty.isMine
    return {
      offset,
      seq,
      log: hash,
      outcomes,
      version,
      entryVersion,
      at: this.#now(),
      duty,
      apart: this.#options.apart() ?? null,
    }
  }

  #hear(hub: string, value: string | undefined): void {
    const state = readHubState(value)
    if (state) this.#heard.set(hub, { state, at: this.#now() })
  }

  #everyLook(): void {
    this.#show()
    void this.#raise()
  }

  #show(): void {
    const state = this.#ownState()
    const shown = JSON.stringify({ ...state, at: 0 })
    if (shown === this.#shown) return
    this.#shown = shown
    this.#options.board.put(hubStateTopic, JSON.stringify(state))
  }

  async #announce(pauseMs: number): Promise<void> {
    const { state, ways, submit } = this.#options
    clearTimeout(this.#retry)
    const { url, ssh, hubKey, snapshot = 0 } = ways()
    const known = allHubs(state.db).find(({ name }) => name === this.name)
    const isKnown =
      known?.version === version &&
      known.entryVersion === entryVersion &&
      known.url === (url ?? null) &&
      known.ssh === (ssh ?? null) &&
      known.hubKey === (hubKey ?? null) &&
      known.snapshot === snapshot
    if (isKnown) return
    try {
      await submit({ type: 'hub.announce', name: this.name, version, entryVersion, url, ssh, hubKey, snapshot })
    } catch {
      // The log does not answer, as the journal tells; what this hub has to say waits.
      if (this.#isClosed) return
      const next = Math.min(pauseMs * 2, retryMs.last)
      this.#retry = setTimeout(() => void this.#announce(next), pauseMs).unref()
    }
  }

  /** Has new entries written by newer rules, once every hub that has announced itself knows them. */
  async #raise(): Promise<void> {
    const { state, duty, submit } = this.#options
    if (!duty.isMine || this.#isRaising || this.#isClosed) return
    const known = allHubs(state.db).map(row => row.entryVersion)
    const to = Math.min(entryVersion, ...known)
    if (known.length === 0 || to <= rulesInForce(state.db)) return
    this.#isRaising = true
    try {
      await submit({ type: 'rules.raise', to })
    } catch {
      // Another hub was announced meanwhile, or the log does not answer; the next look tries again.
    } finally {
      this.#isRaising = false
    }
  }
}
