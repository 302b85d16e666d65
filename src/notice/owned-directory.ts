import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Scope } from '../client/project/scope.ts'
import { version } from '../protocol/version.ts'
import { isOwn, isOwned, type SessionFile } from './live-sessions.ts'
import { type Runtime, systemRuntime } from './runtime.ts'
import { type SessionDir, sessionDirs } from './session-dir.ts'

/** Interval at which the file that names the owner is touched, in ms. */
const touchMs = 5000

/** Age at which a directory that hooks made and no server claimed is removed, in ms. */
const unclaimedMs = 24 * 3600_000

/** Time after the last sign of a server after which its directory is removed, in ms: Claude Code may start another one for the session. */
const endedMs = 600_000

/** Contents of a directory that belong to one Claude Code process and must not pass to the next one with the same key. */
const ofOneInstance = ['news', 'told', 'asked', 'gathering', 'only-woken.json', 'prompt.json', 'status.json']

export interface OwnedDirectoryOptions {
  dir: SessionDir
  home: string
  /** Id of the session at the hub. */
  session: string
  instance: string | undefined
  /** The session cannot be notified: the directory only shows that it runs. */
  isUnreachable: boolean
  /** Scope of the messages that the session reads; throws while this machine has not joined. */
  scope: () => Scope
  runtime?: Runtime
}

/** The directory of a session. One process owns it, even if two of our MCP servers run in the session. */
export class OwnedDirectory {
  readonly #options: Required<OwnedDirectoryOptions>
  #isOwned = false

  constructor(options: OwnedDirectoryOptions) {
    this.#options = { runtime: systemRuntime, ...options }
  }

  /** Whether this process owns the directory. */
  get isOwned(): boolean {
    return this.#isOwned
  }

  /**
   * Claims the directory if it has no owner, even after it was deleted, and keeps it visible to others as owned. Returns `lost` if it had
   * to be claimed again: its contents are lost.
   */
  claim(isHidden: boolean): 'lost' | undefined {
    const { dir, runtime } = this.#options
    if (this.#isOwned && isOwn(dir.read<SessionFile>('session.json'), runtime)) {
      const now = runtime.now()
      if (Math.abs(now - dir.touchedAt('session.json')) > touchMs) dir.touch('session.json', now)
      return undefined
    }
    const wasOwned = this.#isOwned
    this.#isOwned = this.#tryClaim(isHidden)
    return wasOwned && this.#isOwned ? 'lost' : undefined
  }

  /** Publishes a fact about the session to its hooks and to the machine's other sessions. */
  note(change: Partial<SessionFile>): void {
    const { dir, runtime } = this.#options
    const file = dir.read<SessionFile>('session.json')
    if (!file || !isOwn(file, runtime)) return
    const isKnown = Object.entries(change).every(([name, value]) => file[name as keyof SessionFile] === value)
    if (!isKnown) dir.write('session.json', { ...file, ...change })
  }

  release(): void {
    if (this.#isOwned) this.#options.dir.remove()
    this.#isOwned = false
  }

  #tryClaim(isHidden: boolean): boolean {
    if (!this.#hasJoined()) return false
    const { dir, home, session, instance, isUnreachable, runtime } = this.#options
    const project = this.#options.scope()
    const before = dir.read<SessionFile>('session.json')
    if (before && !isOwn(before, runtime) && isOwned(dir, before, runtime) && before.instance === instance) return false
    if (before?.instance !== instance || !instance)
      for (const name of ofOneInstance) rmSync(dir.file(name), { recursive: true, force: true })
    dir.make()
    for (const other of sessionDirs(home)) if (other.key !== dir.key && this.#isAbandoned(other)) other.remove()
    dir.write('session.json', {
      session,
      pid: runtime.pid,
      place: runtime.place,
      ...(instance && { instance }),
      startedAt: runtime.now(),
      version,
      ...(project !== undefined && { project }),
      ...(isUnreachable && { deaf: true }),
      ...(isHidden && { hidden: true }),
    } satisfies SessionFile)
    return true
  }

  /** Reports whether this machine is still joined: after `leave` the client continues to run, but must not create the home again. */
  #hasJoined(): boolean {
    const { home, scope } = this.#options
    try {
      if (!existsSync(join(home, 'config.json'))) return false
      scope()
      return true
    } catch {
      return false
    }
  }

  /** Reports whether no process owns a directory any more. A recent one is kept: its server may be about to start, or to be restarted. */
  #isAbandoned(dir: SessionDir): boolean {
    const { runtime } = this.#options
    const file = dir.read<SessionFile>('session.json')
    if (file) {
      const isRecent = [file.startedAt, dir.touchedAt('session.json')].some(
        at => Math.abs(runtime.now() - at) < endedMs,
      )
      return !isRecent && !isOwned(dir, file, runtime)
    }
    const state = dir.read<{ at: number }>('state.json')
    return state !== undefined && runtime.now() - state.at > unclaimedMs
  }
}
