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
 * Directory of one Claude Code session on this machine, shared by its MCP server and its hooks. Both derive its key from the session's
 * messaging socket, which stays the same across `/clear`; without one, from the process id of Claude Code.
 *
 *   session.json  the owner of this directory, and its session; written by the MCP server
 *   news/         notices to announce, one file each; written by the MCP server, moved to told/ by the process that announces
 *   told/         notices of messages that were announced and are still unread
 *   asked/        questions that this session has sent, one empty file each; written by its MCP servers
 *   gathering/    those of them that went to several and still gather answers
 *   state.json    what the hooks saw last: busy or idle, permission mode
 *   prompt.json   the permission prompt that the hooks saw last
 *   status.json   status line that its Claude or its user set
 *   waiter.json   the hook process that waits to wake the session
 *   wake.json     the text with which that process should wake it
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
      return undefined // The file is missing, or was damaged by a crash of the machine, which counts as missing.
    }
  }

  /** Returns the time at which a file was last written or touched, ms since 1970; 0 if it does not exist. */
  touchedAt(name: string): number {
    return statSync(this.file(name), { throwIfNoEntry: false })?.mtimeMs ?? 0
  }

  /** Sets the modification time of a file to `at`, ms since 1970: a heartbeat for those who cannot see the process. */
  touch(name: string, at: number): void {
    utimesSync(this.file(name), at / 1000, at / 1000)
  }

  /** Replaces a file atomically. It is not synced: its content is only valid while the session runs. */
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

/** Returns the directory that a hook of session `key` uses: that of this place, if its server has made one. */
export function sessionDirOf(key: string): SessionDir {
  const placed = placedDir(key)
  return existsSync(placed.path) ? placed : new SessionDir(key)
}

/** Returns the parent of all session directories of this machine. */
function sessionsDir(home = homeDir()): string {
  return join(home, 'run', 'sessions')
}

/** Returns the directories of all sessions of this machine, including those that ended without cleaning up. */
export function sessionDirs(home = homeDir()): SessionDir[] {
  try {
    return readdirSync(sessionsDir(home)).map(key => new SessionDir(key, home))
  } catch {
    return []
  }
}

/**
 * Returns the key of the session that started this process; undefined if Claude Code did not start it. `claude` is the process id of Claude
 * Code, if the caller knows it. The launcher derives the same key from the same variables.
 */
export function sessionKey(env: Environment, claude?: number): string | undefined {
  const socket = env.CLAUDE_CODE_MESSAGING_SOCKET
  const key = socket ? basename(socket, '.sock') : (env.CLAUDE_PID ?? (env.CLAUDECODE && claude && String(claude)))
  return key && /^[A-Za-z0-9._-]{1,64}$/.test(key) && !key.startsWith('.') ? key : undefined
}

/** Returns an id that distinguishes a Claude Code process from an earlier one with the same process id; undefined without a token. */
export function instanceOf({ CLAUDE_CODE_MESSAGING_TOKEN: token }: Environment): string | undefined {
  return token && createHash('sha256').update(token).digest('hex').slice(0, 16)
}

/**
 * Reports whether the session is headless: `claude -p`, or a program that uses the SDK. A background session is not, although Claude Code
 * calls it unattended even while its user looks at it.
 */
export function isHeadless(env: Environment): boolean {
  return /^sdk-/.test(env.CLAUDE_CODE_ENTRYPOINT ?? '')
}

/** Reports whether config.json makes headless sessions count like others. It is read without its schema: hooks must be quick. */
export function headlessTakesPart(home = homeDir()): boolean {
  try {
    return (JSON.parse(readFileSync(join(home, 'config.json'), 'utf8')) as { headless?: unknown }).headless === true
  } catch {
    return false
  }
}

/** Replaces `path` atomically, without a sync. */
export function writeWhole(path: string, text: string): void {
  const temporary = `${path}.${process.pid}.new`
  writeFileSync(temporary, text, { mode: 0o600 })
  renameSync(temporary, path)
}
