import { mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { homeDir } from '../client/home-dir.ts'
import type { Scope } from '../client/project/scope.ts'
import { isReachable, liveSessions, reads } from './live-sessions.ts'
import { type Runtime, systemRuntime } from './runtime.ts'
import { type SessionDir, writeWhole } from './session-dir.ts'

/** Age at which a turn file that cannot be parsed counts as damaged, not as being written, in ms. */
const writingMs = 5000

/** One session's turn to be notified of a message. */
interface Turn {
  n: number
  /** The project that the message is for. */
  project?: string
  /** Id of the session at the hub. */
  session: string
  /** Time from which the next session may have its turn, ms since 1970. */
  until: number
}

/** Rules that decide, besides recent activity, which session's turn it is. */
export interface Precedence {
  /** Returns the project that a message is for: only sessions that read it have a turn. */
  projectOf?: (id: string) => string | undefined
  /** Reports whether that session's turn is before all others. */
  comesFirst?: (id: string, dir: SessionDir) => boolean
}

/**
 * Decides which session of this machine is notified of a message: one at a time, the most recently active first, so that two do not both
 * act; an answer goes first to the session that asked. The next session has its turn when the previous one has not fetched the message in
 * time, or has ended. Each has one turn, but if the last one has ended and all others had theirs, the message returns to one of them. A turn
 * is a file `MESSAGE.N`. Creating the N-th succeeds for one process only, so the servers of the sessions need no leader.
 */
export class Turns {
  readonly #dir: string
  readonly #home: string
  readonly #session: string
  readonly #runtime: Runtime

  constructor(session: string, home = homeDir(), runtime = systemRuntime) {
    this.#runtime = runtime
    this.#dir = join(home, 'run', 'turns')
    this.#home = home
    this.#session = session
  }

  /** Returns those of `ids` for which this session's turn begins at `now`; it lasts until `until`. Both in ms since 1970. */
  take(
    ids: readonly string[],
    now: number,
    until: number,
    { projectOf = () => undefined, comesFirst = () => false }: Precedence = {},
  ): string[] {
    if (ids.length === 0) return []
    const turns = this.#turns()
    // Messages wait behind an open prompt, so such a session comes after those that can take them now.
    const live = liveSessions(this.#home, this.#runtime)
      .filter(isReachable)
      .sort((a, b) => Number(a.waiting ?? false) - Number(b.waiting ?? false))
    return ids.filter(id => {
      const before = turns.get(id) ?? []
      const last = before.at(-1)
      const isHeld = last !== undefined && live.some(({ session }) => session === last.session)
      if (isHeld && last.until > now) return false
      const project = projectOf(id)
      const readers = live.filter(each => reads(each, project))
      const fresh = readers.filter(each => !before.some(turn => turn.session === each.session))
      const left = fresh.length > 0 || isHeld ? fresh : readers
      const next = left.find(({ dir }) => comesFirst(id, dir)) ?? left[0]
      return next?.session === this.#session && this.#make(id, (last?.n ?? 0) + 1, { until, project })
    })
  }

  /** Returns those of `ids` for which this session had its turn and another session now has its own. */
  lost(ids: readonly string[]): string[] {
    if (ids.length === 0) return []
    const turns = this.#turns()
    return ids.filter(id => {
      const last = turns.get(id)?.at(-1)
      return last !== undefined && last.session !== this.#session
    })
  }

  /** Returns those of `ids` for which it is this session's turn, perhaps since before its server was restarted. */
  mine(ids: readonly string[]): string[] {
    const turns = ids.length === 0 ? undefined : this.#turns()
    return ids.filter(id => turns?.get(id)?.at(-1)?.session === this.#session)
  }

  /** Extends this session's turn: the next session waits until `until`. */
  extend(id: string, until: number): void {
    const mine = this.#turns()
      .get(id)
      ?.findLast(({ session }) => session === this.#session)
    if (mine) writeWhole(this.#file(id, mine.n), JSON.stringify({ ...mine, until }))
  }

  /**
   * Removes the turns of messages that are not in `unread`, the unread messages for `scope`. A turn that has not expired stays: the server
   * of another session may still count the message as unread, or this one not yet.
   */
  keepOnly(unread: ReadonlySet<string>, scope: Scope): void {
    const over = this.#list().filter(({ id }) => !unread.has(id))
    if (over.length === 0) return
    const turns = this.#turns()
    const now = this.#runtime.now()
    for (const { name, id } of over) {
      // This session does not know the messages of other projects.
      const isOthers = turns.get(id)?.some(({ project }) => !reads({ project: scope }, project))
      const isOver = turns.get(id)?.every(({ until }) => until <= now) ?? true
      if (!isOthers && isOver) rmSync(join(this.#dir, name), { force: true })
    }
  }

  #make(id: string, n: number, { until, project }: Pick<Turn, 'until' | 'project'>): boolean {
    try {
      mkdirSync(this.#dir, { recursive: true, mode: 0o700 })
      const turn = JSON.stringify({ session: this.#session, until, ...(project && { project }) })
      writeFileSync(this.#file(id, n), turn, { flag: 'wx', mode: 0o600 })
      return true
    } catch {
      return false // Another session has made it first.
    }
  }

  /** Returns all turns so far, by message, in order. */
  #turns(): Map<string, Turn[]> {
    const turns = new Map<string, Turn[]>()
    for (const { name, id, n } of this.#list()) {
      try {
        const turn = JSON.parse(readFileSync(join(this.#dir, name), 'utf8')) as Omit<Turn, 'n'>
        turns.set(
          id,
          [...(turns.get(id) ?? []), { ...turn, n }].sort((a, b) => a.n - b.n),
        )
      } catch {
        // Removed meanwhile, or being written: the next run reads it. One that a power loss has damaged is over.
        if (this.#isDamaged(name)) turns.set(id, [...(turns.get(id) ?? []), { session: '', until: 0, n }])
      }
    }
    return turns
  }

  /** Reports whether a file that could not be parsed is damaged, rather than being written just now. */
  #isDamaged(name: string): boolean {
    const file = statSync(join(this.#dir, name), { throwIfNoEntry: false })
    return file !== undefined && Math.abs(this.#runtime.now() - file.mtimeMs) > writingMs
  }

  #file(id: string, n: number): string {
    return join(this.#dir, `${id}.${n}`)
  }

  #list(): { name: string; id: string; n: number }[] {
    let names: string[] = []
    try {
      names = readdirSync(this.#dir)
    } catch {
      // No session has had a turn yet.
    }
    return names.flatMap(name => {
      const [, id, n] = /^([^.]+)\.(\d+)$/.exec(name) ?? []
      return id ? [{ name, id, n: Number(n) }] : []
    })
  }
}
