import type { InboxDump, Kind, Rules, Violation } from './check.ts'
import type { Act, Line, Told } from './history.ts'

/** Time for which no other session may be notified of a message, in ms; a turn lasts 45 s and starts slightly before the notice. */
const turnMs = 30_000

interface Session {
  inbox: string
  name: string
  project: string | undefined
  hasEnded: boolean
  /** Whether the machine's other sessions may be notified of its messages: its server was killed, or it did not accept a wake. */
  isReleased: boolean
  /** Messages that a hook has announced to it. */
  byHook: Set<string>
  /** Messages that it has read. */
  read: Set<string>
  /** Messages of which it was notified, with the time of the first notice by a hook or a wake; undefined after a read. */
  notified: Map<string, number | undefined>
}

/**
 * Checks that a hook announces a message to a session once, unless another session has read it since; that one session of a machine is
 * notified at a time; that in the end a running session was notified of each unread message, unless one has read it; and that a session
 * with a project is not notified of messages for another.
 */
export class SessionRules implements Rules {
  readonly violations: Violation[] = []
  readonly #sessions = new Map<number, Session>()
  /** Projects of the messages that have one, by message id. */
  readonly #projects = new Map<string, string>()

  take(line: Line, act: Act): void {
    if (act.kind === 'send' && act.project !== undefined) this.#projects.set(act.id, act.project)
    if (act.kind !== 'session') return
    if (line.type === 'invoke') {
      const { inbox, session: name, project } = act
      const none = { byHook: new Set<string>(), read: new Set<string>(), notified: new Map() }
      this.#sessions.set(line.op, { inbox, name, project, hasEnded: false, isReleased: false, ...none })
      return
    }
    const session = this.#sessions.get(line.op)!
    if (line.type !== 'event') session.hasEnded = true
    else if (line.told.kind === 'released') session.isReleased = true
    else if (line.told.kind === 'notified') this.#notified(session, line.told)
  }

  takeDump({ inbox, unread }: InboxDump): void {
    for (const id of unread) {
      const sessions = this.#of(inbox).filter(session => this.#reads(session, id))
      if (sessions.every(({ hasEnded }) => hasEnded)) continue
      if (!sessions.some(({ hasEnded, notified, read }) => read.has(id) || (!hasEnded && notified.has(id))))
        this.#report('untold', `no session of ${inbox} was notified of ${id}, which is unread`)
    }
  }

  #notified(session: Session, { id, by, at }: Extract<Told, { kind: 'notified' }>): void {
    const { inbox, name, byHook, notified } = session
    if (!this.#reads(session, id)) this.#report('phantom', `${name} is notified of ${id}, which is for another project`)
    if (by === 'hook' && byHook.has(id)) this.#report('told twice', `hooks announce ${id} to ${name} again`)
    if (by === 'hook') byHook.add(id)
    if (by === 'read') {
      session.read.add(id)
      // This session holds the message now; once it has ended, hooks may announce the message to the others again.
      for (const other of this.#of(inbox)) if (other !== session) other.byHook.delete(id)
    }
    const before = notified.get(id)
    notified.set(id, before ?? (by === 'read' ? undefined : at))
    if (by === 'read' || before !== undefined || session.isReleased) return
    for (const other of this.#of(inbox)) {
      const since = other.notified.get(id)
      if (other === session || other.hasEnded || other.isReleased || since === undefined) continue
      if (at - since < turnMs) this.#report('told twice', `${name} is notified of ${id} in the turn of ${other.name}`)
    }
  }

  #reads({ project }: Session, id: string): boolean {
    return project === undefined || (this.#projects.get(id) ?? project) === project
  }

  #of(inbox: string): Session[] {
    return [...this.#sessions.values()].filter(session => session.inbox === inbox)
  }

  #report(kind: Kind, text: string): void {
    this.violations.push({ kind, text })
  }
}
