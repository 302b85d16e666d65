import { createHash } from 'node:crypto'
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs'
import { basename, join } from 'node:path'
import { homeDir } from '../client/home-dir.ts'
import { type Runtime, systemRuntime } from './runtime.ts'

type Environment = Record<string, string | undefined>

/**
 * What one Claude Code session has on this machine: the place where its MCP server and its hooks meet. Both know it by the
 * session's messaging socket, which stays the same over `/clear`; where there is none, by the process of Claude Code.
 *
 *   session.json  who keeps this directory, and for which session; written by the MCP server
 *   news/         what the session should be told, one file each; put there by the MCP server, taken by whoever tells it
 *   told/         what it was told and is still unread
 *   asked/        what this session has sent that wants an answer, one empty file each; put there by its MCP servers
 *   gathering/    those of them that were asked of several and gather answers still
 *   state.json    what the hooks saw last: busy or idle, permission mode
 *   prompt.json   the permission prompt that the hooks saw last
 *   status.json   what the session works on, as its Claude or its user said
 *   waiter.json   the hook process that waits to wake the session
 *   wake.json     what that process is to say, once it should
 */
export class SessionDir {
  readonly path: string
  readonly key: string

  constructor(key: string, home = homeDir()) {
    this.key = key
    this.path = join(sessionsDir(home), key)
  }

  file(name: string): string {
    return join(this.path, name)
  }

  make(): void {
    for (const dir of ['news', 'told', 'asked']) mkdirSync(this.file(dir), { recursive: true, mode: 0o700 })
  }

  remove(): void {
    rmSync(this.path, { recursive: true, force: true })
  }

  read<T>(name: string): T | undefined {
    try {
      return JSON.parse(readFileSync(this.file(name), 'utf8')) as T
    } catch {
      return undefined // Not there, or half of it from a machine that crashed: as good as not there.
    }
  }

  /** When a file was written or touched last, ms since 1970; 0 where there is none. */
  touchedAt(name: string): number {
    return statSync(this.file(name), { throwIfNoEntry: false })?.mtimeMs ?? 0
  }

  /** Sets the modification time of a file to `at`, ms since 1970: a sign of life for those who cannot see the process. */
  touch(name: string, at: number): void {
    utimesSync(this.file(name), at / 1000, at / 1000)
  }

  /** Replaces a file in one step. It is of the moment, so it is not forced to the disk. */
  write(name: string, value: unknown): void {
    writeWhole(this.file(name), JSON.stringify(value))
  }
}

/** Returns the directory for a session whose key is also used by another place that shares the home. */
export function placedDir(
  key: string,
  home = homeDir(),
  { place }: Pick<Runtime, 'place'> = systemRuntime,
): SessionDir {
  return new SessionDir(`${key}.${place}`, home)
}

/** The directory that a hook of the session `key` uses: that of this place, where its server has made one. */
export function sessionDirOf(key: string): SessionDir {
  const placed = placedDir(key)
  return existsSync(placed.path) ? placed : new SessionDir(key)
}

/** Where every session of this machine has its directory. */
function sessionsDir(home = homeDir()): string {
  return join(home, 'run', 'sessions')
}

/** The directories of all sessions of this machine, also of those that ended without cleaning up. */
export function sessionDirs(home = homeDir()): SessionDir[] {
  try {
    return readdirSync(sessionsDir(home)).map(key => new SessionDir(key, home))
  } catch {
    return []
  }
}

/**
 * The key of the session that this process was started by, or undefined when no Claude Code started it. `claude` is the process
 * of Claude Code as far as the caller knows it. The launcher makes the same key of the same variables.
 */
export function sessionKey(env: Environment, claude?: number): string | undefined {
  const socket = env.CLAUDE_CODE_MESSAGING_SOCKET
  const key = socket ? basename(socket, '.sock') : (env.CLAUDE_PID ?? (env.CLAUDECODE && claude && String(claude)))
  return key && /^[A-Za-z0-9._-]{1,64}$/.test(key) && !key.startsWith('.') ? key : undefined
}

/** Tells one Claude Code process from another that had its number before. Undefined where both sides cannot know. */
export function instanceOf({ CLAUDE_CODE_MESSAGING_TOKEN: token }: Environment): string | undefined {
  return token && createHash('sha256').update(token).digest('hex').slice(0, 16)
}

/**
 * Whether nobody sits before this session: `claude -p`, or a program that uses the SDK. A background session is none of these:
 * Claude Code calls it unattended, also while its user looks at it.
 */
export function isHeadless(env: Environment): boolean {
  return /^sdk-/.test(env.CLAUDE_CODE_ENTRYPOINT ?? '')
}

/** Whether config.json says that headless runs are sessions like others. Read without its schema: hooks must be quick. */
export function headlessTakesPart(home = homeDir()): boolean {
  try {
    return (JSON.parse(readFileSync(join(home, 'config.json'), 'utf8')) as { headless?: unknown }).headless === true
  } catch {
    return false
  }
}

/** Replaces `path` in one step, without waiting for the disk. */
export function writeWhole(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.new`
  writeFileSync(temporary, text, { mode: 0o600 })
  renameSync(temporary, path)
}
