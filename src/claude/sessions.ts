import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { type Platform, thisPlatform } from '../disk/platform.ts'

/** A running Claude Code process of this user. `cwd` is undefined if the system does not show it. */
export interface RunningClaude {
  pid: number
  cwd: string | undefined
}

/** Returns the Claude Code sessions that run now: each loads a new MCP server only after a restart. */
export function runningSessions(platform = thisPlatform): RunningClaude[] {
  try {
    return platform.name === 'linux' ? fromProc() : fromPs(platform)
  } catch {
    return [] // The list is a courtesy: if processes cannot be listed, it is empty.
  }
}

function fromProc(): RunningClaude[] {
  return readdirSync('/proc')
    .filter(entry => /^\d+$/.test(entry))
    .flatMap(pid => {
      try {
        const args = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0')
        // The link can be read only for processes of this user.
        const cwd = readlinkSync(`/proc/${pid}/cwd`)
        return isClaude(args) ? [{ pid: Number(pid), cwd }] : []
      } catch {
        return []
      }
    })
}

function fromPs({ run }: Platform): RunningClaude[] {
  return run('ps', '-x', '-ww', '-o', 'pid=,args=')
    .split('\n')
    .flatMap(line => {
      const match = /^\s*(\d+)\s+(.*)$/.exec(line)
      return match && isClaude(match[2]!.split(' ')) ? [{ pid: Number(match[1]), cwd: undefined }] : []
    })
}

/** Matches `claude …`, and `node …/claude …` as npm installs it. */
function isClaude([program = '', script = '']: string[]): boolean {
  return basename(program) === 'claude' || (basename(program) === 'node' && basename(script) === 'claude')
}
