import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { ClaudeNetError } from '../protocol/errors.ts'

/** One step of an installation, with a description. `text` is the content of a file that it writes. */
export interface Step {
  what: string
  text?: string
  run: () => unknown
}

/** A step that runs a program of the system. */
export function command(program: string, ...args: string[]): Step {
  return { what: `run ${[program, ...args].join(' ')}`, run: () => runProgram(program, ...args) }
}

/** A step that puts a link in the place of whatever is there. */
export function linkStep(link: string, target: string): Step {
  return {
    what: `link ${link} to ${target}`,
    run: () => {
      mkdirSync(dirname(link), { recursive: true })
      rmSync(link, { force: true })
      symlinkSync(target, link)
    },
  }
}

/** Runs a program of the system and returns its stdout. Throws `internal` with its stderr when it fails. */
export async function runProgram(program: string, ...args: string[]): Promise<string> {
  try {
    return (await promisify(execFile)(program, args)).stdout
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string }
    const why = code === 'ENOENT' ? 'it is not installed here' : stderr?.trim() || `exit status ${code}`
    throw new ClaudeNetError(
      'internal',
      `${[program, ...args].join(' ')} failed: ${why}`,
      'Nothing is lost: mend that, then run this again.',
    )
  }
}
