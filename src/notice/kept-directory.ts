import { existsSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Scope } from '../client/project/scope.ts'
import { version } from '../protocol/version.ts'
import { isKept, isOwn, type SessionFile } from './live-sessions.ts'
import { processPlace } from './process-place.ts'
import { type SessionDir, sessionDirs } from './session-dir.ts'

/** How often the file that says who keeps the directory is touched, in ms. */
const touchMs = 5000

export interface KeptDirectoryOptions {
  dir: SessionDir
  home: string
  /** The session as the hub knows it. */
  session: string
  instance: string | undefined
  /** Nobody can be told anything: the directory only says that the session lives. */
  isDeaf: boolean
  /** Whose mail the session reads; throws while this machine has not joined. */
  scope: () => Scope
}

/** The directory of a session, kept by one process: also where two MCP servers of ours run in it. */
export class KeptDirectory {
  readonly #options: KeptDirectoryOptions
  #isKept = false

  constructor(options: KeptDirectoryOptions) {
    this.#options = options
  }

  /** Whether this process keeps it. */
  get isKept(): boolean {
    return this.#isKept
  }

  /**
   * Takes the directory where nobody keeps it, also again after somebody has removed it, and lets others see that it is kept.
   * Returns `lost` when it had to be taken again: what stood in it is gone.
   */
  keep(isHidden: boolean): 'lost' | undefined {
    const { dir } = this.#options
    if (this.#isKept && isOwn(dir.read<SessionFile>('session.json'))) {
      if (Date.now() - dir.touchedAt('session.json') > touchMs) dir.touch('session.json')
      return undefined
    }
    const wasKept = this.#isKept
    this.#isKept = this.#take(isHidden)
    return wasKept && this.#isKept ? 'lost' : undefined
  }

  /** Says something of the session to its hooks and to the machine's other sessions. */
  note(change: Partial<SessionFile>): void {
    const { dir } = this.#options
    const file = dir.read<SessionFile>('session.json')
    if (!file || !isOwn(file)) return
    const isKnown = Object.entries(change).every(([name, value]) => file[name as keyof SessionFile] === value)
    if (!isKnown) dir.write('session.json', { ...file, ...change })
  }

  release(): void {
    if (this.#isKept) this.#options.dir.remove()
    this.#isKept = false
  }

  #take(isHidden: boolean): boolean {
    if (!this.#hasJoined()) return false
    const { dir, home, session, instance, isDeaf } = this.#options
    const project = this.#options.scope()
    const before = dir.read<SessionFile>('session.json')
    if (before && !isOwn(before) && isKept(dir, before) && before.instance === instance) return false
    // Of a Claude Code that has ended: what it was told, and said of itself, this one was not and did not.
    if (before?.instance !== instance || !instance) {
      for (const place of ['news', 'told', 'asked', 'gathering', 'prompt.json', 'status.json'])
        rmSync(dir.file(place), { recursive: true, force: true })
    }
    dir.make()
    for (const other of sessionDirs(home)) if (other.key !== dir.key && isAbandoned(other)) other.remove()
    dir.write('session.json', {
      session,
      pid: process.pid,
      place: processPlace(),
      ...(instance && { instance }),
      startedAt: Date.now(),
      version,
      ...(project !== undefined && { project }),
      ...(isDeaf && { deaf: true }),
      ...(isHidden && { hidden: true }),
    } satisfies SessionFile)
    return true
  }

  /** After `leave` the client is still open, and there is nothing to come back to. */
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
}

/** Whether a directory belongs to no process any more. Hooks may come before the server: a young one is left alone. */
function isAbandoned(dir: SessionDir): boolean {
  const file = dir.read<SessionFile>('session.json')
  if (file) return !isKept(dir, file)
  const state = dir.read<{ at: number }>('state.json')
  return state !== undefined && Date.now() - state.at > 24 * 3600_000
}
