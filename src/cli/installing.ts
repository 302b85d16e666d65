import { existsSync } from 'node:fs'
import { isWsl, type Platform, thisPlatform } from '../disk/platform.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { Step } from '../systemd/step.ts'

/** A service that a command installs, for the errors on systems that cannot run it. */
export interface Installed {
  /** A clause that names what does the same in the foreground. */
  foreground: string
  /** A sentence that says what to use on macOS. */
  onMac: string
}

/** Throws unless this system runs systemd and this process is root, as every change of the running system requires. */
export function requireSystem(service: Installed): void {
  if (!existsSync('/run/systemd/system')) throw withoutSystemd(service, thisPlatform)
  if (process.getuid?.() === 0) return
  throw new ClaudeNetError(
    'forbidden',
    'Only root may install or remove a service.',
    'Run it with sudo; --dry-run shows what it does.',
  )
}

/** Returns the error for a system on which systemd does not run, with the way to get it there, or to do without. */
export function withoutSystemd({ foreground, onMac }: Installed, platform: Platform): ClaudeNetError {
  if (isWsl(platform)) {
    const enable =
      'Put the lines [boot] and systemd=true into /etc/wsl.conf, run wsl.exe --shutdown, and open WSL again.'
    return new ClaudeNetError('invalid', 'systemd is off in this WSL.', `${enable} Until then, ${foreground}.`)
  }
  if (platform.name === 'darwin')
    return new ClaudeNetError('invalid', 'macOS has no systemd.', `${onMac} Otherwise, ${foreground}.`)
  const hint = `${foreground}; --root DIR prepares the tree of another system.`
  return new ClaudeNetError('invalid', 'systemd does not run here.', hint)
}

/** Carries out the steps of an installation in order, and prints each before it runs; with `dryRun` it prints them, and the files, only. */
export async function carryOut(
  steps: readonly Step[],
  { dryRun, json }: { dryRun?: boolean; json?: boolean },
): Promise<void> {
  for (const { what, file, run } of steps) {
    if (!json) process.stdout.write(`${dryRun ? 'would ' : ''}${what}\n`)
    if (dryRun && file && !json) process.stdout.write(`${file.text.replace(/^/gm, '    ').trimEnd()}\n`)
    if (dryRun) continue
    try {
      await run()
    } catch (error) {
      throw inWords(error, what)
    }
  }
}

/** Returns an error of the system, such as a full disk, in words; any other error as it is. */
function inWords(error: unknown, what: string): unknown {
  const { syscall, message } = error as NodeJS.ErrnoException
  if (syscall === undefined) return error
  const hint = 'Fix the cause, then run it again: it continues where it stopped.'
  return new ClaudeNetError('internal', `Could not ${what}: ${message}.`, hint)
}
