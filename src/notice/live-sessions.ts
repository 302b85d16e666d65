import { type Runtime, systemRuntime } from './runtime.ts'
import { placedDir, SessionDir, sessionDirs } from './session-dir.ts'
import { readState } from './session-state.ts'

/** Way by which a session is notified: its inbox socket, the waiting hook, a channel; or its hooks alone. */
export type Rung = 'socket' | 'rewake' | 'channel' | 'hooks'

/** `session.json`: the owner of the directory. */
export interface SessionFile {
  /** Id of the session at the hub. */
  session: string
  /** Process id of the MCP server that owns it. */
  pid: number
  /** Scope in which that id is valid; see `processPlace`. Older versions do not write it. */
  place?: string
  /** Distinguishes this Claude Code from an earlier one with the same key. */
  instance?: string
  startedAt: number
  /** The client's version. */
  version: string
  /** Scope of the messages that it reads; see `Scope`. Absent if it reads all of the machine's, as older versions do. */
  project?: string
  /** The session cannot be notified: it is headless, or no Claude Code. */
  deaf?: true
  /** No user sees this session now: it is not notified, and does not count as present. */
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
  /** Time of the last hook, or of the session's start, ms since 1970. */
  activeAt: number
}

/** Reports whether a session can be notified. */
export function isReachable({ deaf, hidden }: SessionFile): boolean {
  return !deaf && !hidden
}

/** Reports whether this session reads messages for `project`, or for no project. */
export function reads({ project: scope }: Pick<SessionFile, 'project'>, project: string | undefined): boolean {
  return scope === undefined || project === undefined || project === scope
}

/** Time without a touch of `session.json` after which a server in another place, on the same home, counts as ended, in ms. */
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
