import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { homeDir } from '../client/home-dir.ts'
import { liveSessions } from './live-sessions.ts'
import { writeWhole } from './session-dir.ts'

/** One session's turn to take a message. */
interface Turn {
  n: number
  /** The session, as the hub knows it. */
  session: string
  /** When the next session may have its turn, ms since 1970. */
  until: number
}

/**
 * Which session of this machine is told of a message: one at a time, the one where something happened last first, so that two do
 * not both act. The next has its turn when the first has not fetched it in time, or has ended.
 *
 * A turn is a file `MESSAGE.N`. Making the N-th succeeds for one process only, so the servers of the sessions need no leader.
 */
export class Turns {
  readonly #dir: string
  readonly #home: string
  readonly #session: string

  constructor(session: string, home = homeDir()) {
    this.#dir = join(home, 'run', 'turns')
    this.#home = home
    this.#session = session
    mkdirSync(this.#dir, { recursive: true, mode: 0o700 })
  }

  /**
   * Whether it is, or now becomes, this session's turn to be told of message `id`; it lasts until `until` at least. A session
   * that had its turn keeps what it was told and has no other.
   */
  take(id: string, now: number, until: number): 'taken' | 'had' | 'no' {
    const turns = this.#turnsOf(id)
    if (turns.some(({ session }) => session === this.#session)) return 'had'
    const live = liveSessions(this.#home).filter(({ deaf }) => !deaf)
    const last = turns.at(-1)
    if (last && last.until > now && live.some(({ session }) => session === last.session)) return 'no'
    const next = live.find(({ session }) => !turns.some(turn => turn.session === session))
    if (next?.session !== this.#session) return 'no'
    try {
      const turn = JSON.stringify({ session: this.#session, until })
      writeFileSync(this.#file(id, (last?.n ?? 0) + 1), turn, { flag: 'wx', mode: 0o600 })
      return 'taken'
    } catch {
      return 'no' // Another was first.
    }
  }

  /** This session tries on: the next waits until `until`. */
  extend(id: string, until: number): void {
    const mine = this.#turnsOf(id).find(({ session }) => session === this.#session)
    if (mine) writeWhole(this.#file(id, mine.n), JSON.stringify({ session: this.#session, until }))
  }

  /** Forgets the turns of every message that is not in `unread`. */
  keepOnly(unread: ReadonlySet<string>): void {
    for (const name of this.#list()) {
      if (!unread.has(name.split('.')[0]!)) rmSync(join(this.#dir, name), { force: true })
    }
  }

  #turnsOf(id: string): Turn[] {
    return this.#list()
      .filter(name => name.startsWith(`${id}.`) && /\.\d+$/.test(name))
      .flatMap(name => {
        const n = Number(name.slice(id.length + 1))
        try {
          return [{ ...(JSON.parse(readFileSync(join(this.#dir, name), 'utf8')) as Omit<Turn, 'n'>), n }]
        } catch {
          return []
        }
      })
      .sort((a, b) => a.n - b.n)
  }

  #file(id: string, n: number): string {
    return join(this.#dir, `${id}.${n}`)
  }

  #list(): string[] {
    return readdirSync(this.#dir)
  }
}
