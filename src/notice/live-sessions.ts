import { type Runtime, systemRuntime } from './runtime.ts'
import { placedDir, SessionDir, sessionDirs } from './session-dir.ts'
import { readState } from './session-state.ts'

/** The way by which a session was woken: its inbox socket, the waiting hook, a channel; or its hooks alone told it. */
export type Rung = 'socket' | 'rewake' | 'channel' | 'hooks'

/** `session.json`: who keeps the directory. */
export interface SessionFile {
  /** The session as the hub knows it. */
  session: string
  /** The MCP server that keeps it. */
  pid: number
  /** Where that number counts; see `processPlace`. Versions before this one do not say. */
  place?: string
  /** Tells this Claude Code from an earlier one with the same key. */
  instance?: string
  startedAt: number
  /** The client's version. */
  version: string
  /** Whose mail it reads; see `Scope`. Absent where it reads all of the machine's, as every version before this one does. */
  project?: string
  /** Nobody can tell this session anything: headless, or no Claude Code. */
  deaf?: true
  /** Nobody sees this session now: it is not told, and is no presence. */
  hidden?: true
  /** A permission prompt, a question or a dialog is open in it. */
  waiting?: true
  /** The background job of Claude Code that its conversation moved to. */
  parkedJob?: string
  /** The last wake that was followed by a fetch: proof that it works. Times are ms since 1970. */
  woken?: { by: Rung; id: string; wokenAt: number; fetchedAt: number }
}

export interface LiveSession extends SessionFile {
  dir: SessionDir
  /** When a hook or the session's start was seen last, ms since 1970. */
  activeAt: number
}

/** Whether a session can be told anything. */
export function isReachable({ deaf, hidden }: SessionFile): boolean {
  return !deaf && !hidden
}

/** Whether mail for `project`, or for no project, is this session's to read. */
export function reads({ project: scope }: Pick<SessionFile, 'project'>, project: string | undefined): boolean {
  return scope === undefined || project === undefined || project === scope
}

/** How long a server that runs elsewhere, on the same home, may be silent before it counts as ended, in ms. */
const silentMs = 30_000

/**
 * Reports whether the MCP server that owns a directory runs. The processes of another host, boot or container cannot be seen: their
 * servers touch the file.
 */
export function isOwned(dir: SessionDir, file: SessionFile, runtime = systemRuntime): boolean {
  if (isHere(file, runtime)) return runtime.isRunning(file.pid)
  return Math.abs(runtime.now() - dir.touchedAt('session.json')) < silentMs
}

/** Reports whether this very process owns the directory. */
export function isOwn(file: SessionFile | undefined, runtime = systemRuntime): boolean {
  return file !== undefined && file.pid === runtime.pid && isHere(file, runtime)
}

/** Returns the directory for the session `key` of this place; another place that shares the home may have one for the same key. */
export function dirToOwn(key: string, home: string, runtime = systemRuntime): SessionDir {
  const dir = new SessionDir(key, home)
  const file = dir.read<SessionFile>('session.json')
  return file && !isHere(file, runtime) && isOwned(dir, file, runtime) ? placedDir(key, home, runtime) : dir
}

function isHere({ place }: SessionFile, runtime: Runtime): boolean {
  return place === undefined || place === runtime.place
}

/** Returns the sessions of this machine whose MCP server runs, the most recently active first. */
export function liveSessions(home?: string, runtime = systemRuntime): LiveSession[] {
  return sessionDirs(home)
    .flatMap(dir => {
      const file = dir.read<SessionFile>('session.json')
      if (!file || !isOwned(dir, file, runtime)) return []
      const activeAt = readState(dir, file.instance)?.at ?? file.startedAt
      return [{ ...file, dir, activeAt }]
    })
    .sort((a, b) => b.activeAt - a.activeAt || a.startedAt - b.startedAt || a.pid - b.pid)
}
