import type { SessionInfo } from './session-info.ts'

/** A session that sends its heartbeats to another hub. */
export interface RemoteSession extends SessionInfo {
  member: number
}

/** A session by source. While it moves from one hub to another both report it: the latest source counts. */
type Sources = Map<string, SessionInfo>

/** Sessions reported by the other hubs of this history; each hub reports through several sources. */
export class RemoteSessions {
  readonly #bySource = new Map<string, readonly RemoteSession[]>()
  readonly #members = new Map<number, Map<string, Sources>>()

  /** Replaces the sessions of a source. Returns the removed and the added ones. */
  set(source: string, sessions: readonly RemoteSession[]): { removed: RemoteSession[]; added: RemoteSession[] } {
    const before = this.#bySource.get(source) ?? []
    if (sessions.length > 0) this.#bySource.set(source, sessions)
    else this.#bySource.delete(source)
    const keyOf = ({ member, session }: RemoteSession) => `${member} ${session}`
    const [had, has] = [new Set(before.map(keyOf)), new Set(sessions.map(keyOf))]
    const left = before.filter(each => !has.has(keyOf(each)))
    for (const { member, session } of left) this.#remove(member, session, source)
    for (const each of sessions) this.#put(each, source)
    return { removed: left, added: sessions.filter(each => !had.has(keyOf(each))) }
  }

  /** Removes a session from every source. Returns whether any had it. */
  forget(member: number, session: string): boolean {
    const sources = this.#members.get(member)?.get(session)
    for (const source of [...(sources?.keys() ?? [])]) {
      this.#remove(member, session, source)
      const all = this.#bySource.get(source)!
      this.#bySource.set(
        source,
        all.filter(each => each.member !== member || each.session !== session),
      )
    }
    return sources !== undefined
  }

  get(member: number, session: string): SessionInfo | undefined {
    return [...(this.#members.get(member)?.get(session)?.values() ?? [])].at(-1)
  }

  countOf(member: number): number {
    return this.#members.get(member)?.size ?? 0
  }

  of(member: number): SessionInfo[] {
    return [...(this.#members.get(member)?.keys() ?? [])].map(session => this.get(member, session)!)
  }

  #put({ member, ...info }: RemoteSession, source: string): void {
    const sessions = this.#members.get(member) ?? new Map<string, Sources>()
    this.#members.set(member, sessions)
    const sources: Sources = sessions.get(info.session) ?? new Map()
    sessions.set(info.session, sources)
    sources.set(source, info)
  }

  #remove(member: number, session: string, source: string): void {
    const sessions = this.#members.get(member)
    const sources = sessions?.get(session)
    sources?.delete(source)
    if (sources?.size === 0) sessions!.delete(session)
    if (sessions?.size === 0) this.#members.delete(member)
  }
}
