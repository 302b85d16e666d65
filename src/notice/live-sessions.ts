import { processPlace } from './process-place.ts'
import { isAlive, placedDir, SessionDir, sessionDirs } from './session-dir.ts'
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

/** Whether the MCP server of a directory lives. One of another host, boot or container is not seen: it touches its file. */
export function isKept(dir: SessionDir, file: SessionFile): boolean {
  if (isHere(file)) return isAlive(file.pid)
  return Math.abs(Date.now() - dir.touchedAt('session.json')) < silentMs
}

/** Whether this very process keeps the directory. */
export function isOwn(file: SessionFile | undefined): boolean {
  return file !== undefined && file.pid === process.pid && isHere(file)
}

/** The directory for the session `key` of this place: another place that shares the home may have one of that key. */
export function dirToKeep(key: string, home: string): SessionDir {
  const dir = new SessionDir(key, home)
  const file = dir.read<SessionFile>('session.json')
  return file && !isHere(file) && isKept(dir, file) ? placedDir(key, home) : dir
}

function isHere({ place }: SessionFile): boolean {
  return place === undefined || place === processPlace()
}

/** The sessions of this machine whose MCP server lives, those where something happened last first. */
export function liveSessions(home?: string): LiveSession[] {
  return sessionDirs(home)
    .flatMap(dir => {
      const file = dir.read<SessionFile>('session.json')
      if (!file || !isKept(dir, file)) return []
      const activeAt = readState(dir, file.instance)?.at ?? file.startedAt
      return [{ ...file, dir, activeAt }]
    })
    .sort((a, b) => b.activeAt - a.activeAt || a.startedAt - b.startedAt || a.pid - b.pid)
}
