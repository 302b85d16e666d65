import { readFileSync } from 'node:fs'
import { homedir } from 'node:os'
import { basename, join } from 'node:path'

type Environment = Record<string, string | undefined>

/** Activity of a session. `waiting`: a permission prompt, a question or a dialog is open, and input queues up behind it. */
export type Activity = 'idle' | 'busy' | 'waiting'

/** Claude Code's own record of one of its sessions. */
export interface ClientRecord {
  /**
   * No user sees this session: it is a spare worker, started ahead of need, or it is parked because its conversation continued in the
   * background.
   */
  isHidden: boolean
  /** The background job that this process runs. */
  job?: string
  /** The background job that this session's conversation moved to. */
  parkedJob?: string
  /** Undefined for an unknown status. */
  activity?: Activity
  /** Time at which `activity` began, ms since 1970. */
  since: number
}

interface RecordFile {
  pid?: unknown
  messagingSocketPath?: unknown
  spare?: unknown
  parkedJobId?: unknown
  jobId?: unknown
  status?: unknown
  statusUpdatedAt?: unknown
}

/**
 * Reads Claude Code's record of the session that `env` belongs to: `sessions/PID.json` in its configuration directory, as 2.1.332 writes
 * it. `claude` is the process id of Claude Code, if known. Returns undefined if there is no such file, as in older versions.
 */
export function readClientRecord(env: Environment, claude?: number): ClientRecord | undefined {
  const socket = env.CLAUDE_CODE_MESSAGING_SOCKET
  const place = join(env.CLAUDE_CONFIG_DIR || join(env.HOME || homedir(), '.claude'), 'sessions')
  for (const pid of new Set([socket && basename(socket, '.sock'), env.CLAUDE_PID, claude?.toString()])) {
    const file = pid && /^\d+$/.test(pid) ? readFile(join(place, `${pid}.json`)) : undefined
    if (!file || (socket && file.messagingSocketPath && file.messagingSocketPath !== socket)) continue
    return toRecord(file)
  }
  return undefined
}

function readFile(path: string): RecordFile | undefined {
  try {
    const value = JSON.parse(readFileSync(path, 'utf8')) as unknown
    return typeof value === 'object' && value !== null ? value : undefined
  } catch {
    return undefined // Missing, or being written: the next run reads it.
  }
}

function toRecord({ spare, jobId, parkedJobId, status, statusUpdatedAt }: RecordFile): ClientRecord {
  const activity = (['idle', 'busy', 'waiting'] as const).find(known => known === status)
  return {
    isHidden: spare === true || parkedJobId !== undefined,
    ...(typeof jobId === 'string' && { job: jobId }),
    ...(typeof parkedJobId === 'string' && { parkedJob: parkedJobId }),
    ...(activity && { activity }),
    since: typeof statusUpdatedAt === 'number' ? statusUpdatedAt : 0,
  }
}
