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
import { type HubState, hubStateTopic, readHubState } from './hub-state.ts'

/** Interval at which this hub puts its state on the board if that has changed, in ms. */
const showMs = 2000

/** Waits before an announcement is retried, in ms: the first, doubled each time up to the last. */
const retryMs = { first: 1000, last: 30_000 }

/** Addresses of this hub, its key, and the part of the log that it no longer needs. */
export interface Ways {
  url?: string
  ssh?: string
  hubKey?: string
  /** See `hub.announce`. */
  snapshot?: number
}

export interface HubsOptions {
  /** Name of this hub among those of its history. */
  name: string
  /** Whether it shares its history; otherwise nothing is written or put on the board. */
  isShared: boolean
  state: State
  board: Board
  duty: Duty
  /** Returns why this hub accepts nothing: see `Journal.apart`. */
  apart: () => string | undefined
  submit: <C extends Command>(command: C) => Promise<ResultOf<C>>
  /** Returns how it is reached now. */
  ways: () => Ways
  /** Wall clock, ms since 1970. */
  now?: () => number
}

type Listed = HubsAnswer['hubs'][number]

/**
 * The hubs of one history. Announces this one, shares its state, records the state of the others, and raises the rules once all hubs know
 * newer ones. `hub.announce` is durable; the board is ephemeral.
 */
export class Hubs {
  readonly name: string
  readonly #options: HubsOptions
  readonly #now: () => number
  /** Last state received from each other hub, and when. */
  readonly #states = new Map<string, { state: HubState; at: number }>()
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
    this.#end.push(board.onChange((hub, topic, value) => topic === hubStateTopic && this.#received(hub, value)))
    for (const [hub, topics] of board.peers) this.#received(hub, topics.get(hubStateTopic))
    const timer = setInterval(() => this.#everyRound(), showMs).unref()
    this.#end.push(() => clearInterval(timer))
    this.#show()
  }

  /**
   * Announces this hub unless its announcement is up to date, and retries until that is durable. Resolves after the first attempt, which
   * may have failed.
   */
  announce(): Promise<void> {
    if (!this.#options.isShared || this.#isClosed) return Promise.resolve()
    this.#announcing ??= this.#announce(retryMs.first).finally(() => {
      this.#announcing = undefined
    })
    return this.#announcing
  }

  /** Called when the hubs of this history have changed. Announces this one again if it was removed. */
  changed(): void {
    if (!allHubs(this.#options.state.db).some(({ name }) => name === this.name)) void this.announce()
    void this.#raise()
  }

  /** Lists the hubs by name; this one alone if it shares nothing. */
  list({ isAdmin }: { isAdmin: boolean }): HubsAnswer {
    const { isShared, state } = this.#options
    const rows = new Map<string, HubRow | undefined>(allHubs(state.db).map(row => [row.name, row]))
    if (!isShared) rows.clear()
    rows.set(this.name, rows.get(this.name))
    // A hub that is online but has not announced itself is not shown to members.
    if (isAdmin) for (const name of this.#options.board.peers.keys()) rows.set(name, rows.get(name))
    const furthest = Math.max(state.position.offset, ...[...this.#states.values()].map(each => each.state.offset))
    const hubs = [...rows]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([name, row]) => ({ ...this.#known(name, row), ...(isAdmin && this.#seen(name, row, furthest)) }))
    return isAdmin ? { hubs, rules: isShared ? rulesInForce(state.db) : null } : { hubs }
  }

  /** Lists the hubs for the admin if this one shares its history; null for a standalone hub. */
  status(): HubsAnswer | null {
    return this.#options.isShared ? this.list({ isAdmin: true }) : null
  }

  /** The announced hubs, with the offset of each one's stored snapshot. */
  get snapshots(): readonly { name: string; snapshot: number }[] {
    return allHubs(this.#options.state.db)
  }

  /** Removes a hub. Throws `not_found`, and `conflict` for one that is online. */
  async forget(name: string): Promise<void> {
    if (name === this.name) {
      throw new ClaudeNetError(
        'conflict',
        `${name} is the hub that was asked.`,
        'Stop it, and remove it through another hub.',
      )
    }
    if (this.#isLive(name)) {
      throw new ClaudeNetError('conflict', `The hub ${name} is running.`, 'Stop it first, and try again 10 s later.')
    }
    await this.#options.submit({ type: 'hub.forget', name })
    this.#states.delete(name)
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
    const heard = name === this.name ? { state: this.#ownState(), at: this.#now() } : this.#states.get(name)
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

  #received(hub: string, value: string | undefined): void {
    const state = readHubState(value)
    if (state) this.#states.set(hub, { state, at: this.#now() })
  }

  #everyRound(): void {
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
      // The log is unreachable, which the journal reports; the announcement waits.
      if (this.#isClosed) return
      const next = Math.min(pauseMs * 2, retryMs.last)
      this.#retry = setTimeout(() => void this.#announce(next), pauseMs).unref()
    }
  }

  /** Raises the rules for new entries, once every announced hub supports them. */
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
      // Another hub was announced meanwhile, or the log is unreachable: the next round retries.
    } finally {
      this.#isRaising = false
    }
  }
}
