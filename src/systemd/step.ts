import { execFile } from 'node:child_process'
import { mkdirSync, rmSync, symlinkSync } from 'node:fs'
import { dirname } from 'node:path'
import { promisify } from 'node:util'
import { ClaudeNetError } from '../protocol/errors.ts'
import { visibleLine } from '../text/visible.ts'

/** One step of an installation. */
export interface Step {
  /** Its description, in the imperative. */
  what: string
  /** The file that it writes, with its content. */
  file?: { path: string; text: string }
  /** The program that it runs, with its arguments. */
  command?: string[]
  run: () => unknown
}

/** Returns a step that runs a program of the system. */
export function command(program: string, ...args: string[]): Step {
  const command = [program, ...args]
  return { what: `run ${command.join(' ')}`, command, run: () => runProgram(program, ...args) }
}

/** Returns a step that makes a link, and replaces whatever has its name. */
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

/** Runs a program of the system and returns its stdout. Throws `not_found` if it is not installed, and `internal` with its stderr if it fails. */
export async function runProgram(program: string, ...args: string[]): Promise<string> {
  try {
    return (await promisify(execFile)(program, args)).stdout
  } catch (error) {
    const { code, stderr } = error as { code?: unknown; stderr?: string }
    if (code === 'ENOENT')
      throw new ClaudeNetError('not_found', `${program} is not installed here.`, 'Install it, then run this again.')
    const line = visibleLine([program, ...args].join(' '), 200)
    const why = visibleLine(stderr?.trim() || `exit status ${code}`, 300)
    throw new ClaudeNetError(
      'internal',
      `${line} failed: ${why}`,
      'What was done so far stays. Fix the cause, then run this again.',
    )
  }
}
