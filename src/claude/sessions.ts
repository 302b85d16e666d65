import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import { basename } from 'node:path'
import { type Platform, thisPlatform } from '../disk/platform.ts'

/** A running Claude Code of this user. `cwd` is undefined where the system does not show it. */
export interface RunningClaude {
  pid: number
  cwd: string | undefined
}

/** Returns the Claude Code sessions that run now: they load a new MCP server only when they are restarted. */
export function runningSessions(platform = thisPlatform): RunningClaude[] {
  try {
    return platform.name === 'linux' ? fromProc() : fromPs(platform)
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

function fromPs({ run }: Platform): RunningClaude[] {
  return run('ps', '-x', '-ww', '-o', 'pid=,args=')
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
