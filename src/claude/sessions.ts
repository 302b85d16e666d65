import { execFileSync } from 'node:child_process'
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'

/** A running Claude Code of this user. `cwd` is undefined where the system does not tell. */
export interface RunningClaude {
  pid: number
  cwd: string | undefined
}

/** The Claude Code sessions that run now: they know of a new MCP server only after a restart. */
export function runningSessions(): RunningClaude[] {
  try {
    return process.platform === 'linux' ? fromProc() : fromPs()
  } catch {
    return [] // Only a courtesy: where processes cannot be listed, none are named.
  }
}

function fromProc(): RunningClaude[] {
  return readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry))
    .flatMap(pid => {
      try {
        const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        // The link cannot be read for processes of other users, which are none of ours.
        const cwd = readlinkSync(`/proc/${pid}/cwd`)
        return isClaude(args) ? [{ pid: Number(pid), cwd }] : []
      } catch {
        return []
      }
    })
}

function fromPs(): RunningClaude[] {
  return execFileSync('ps', ['-x', '-o', 'pid=,args='], { encoding: 'utf8' })
    .split('\n')
    .flatMap(line => {
      const match = /^\s*(\d+)\s+(.*)$/.exec(line)
      return match && isClaude(match[2]!.split(' ')) ? [{ pid: Number(match[1]), cwd: undefined }] : []
    })
}

/** `claude …`, or `node …/claude …` as npm installs it. */
function isClaude([program = '', script = '']: string[]): boolean {
  return basename(program) === 'claude' || (basename(program) === 'node' && basename(script) === 'claude')
}
