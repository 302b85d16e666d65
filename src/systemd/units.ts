import { basename } from 'node:path'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { Root } from './root.ts'
import { command, runProgram, type Step } from './step.ts'

/** Returns the step that creates the users of a file for sysusers.d(5) at `path`. */
export function usersMade(root: Root, path: string): Step {
  return command('systemd-sysusers', ...inTree(root), basename(path))
}

/** Returns the steps after which `units` start at boot. On the running system systemd has loaded them then. */
export function enabled(root: Root, units: readonly string[]): Step[] {
  const enable = command('systemctl', ...inTree(root), 'enable', ...units)
  return root.isLive ? [command('systemctl', 'daemon-reload'), enable] : [enable]
}

/** Returns the step that stops `units` and keeps them from starting at boot. */
export function disabled(root: Root, units: readonly string[]): Step {
  return command('systemctl', ...inTree(root), 'disable', ...(root.isLive ? ['--now'] : []), ...units)
}

/**
 * Returns the step that restarts a service. `until` describes the state that systemd waits for. The error for a service that does not start
 * has the end of its log and `hint`.
 */
export function restarted(unit: string, { until, hint }: { until?: string; hint: string }): Step {
  const restart = command('systemctl', 'restart', unit)
  const run = async () => {
    try {
      await restart.run()
    } catch (error) {
      const log = await lastWords(unit)
      throw new ClaudeNetError(
        'internal',
        `The service does not start. Its log ends with:\n${log.trim() || (error as Error).message}`,
        hint,
      )
    }
  }
  return { ...restart, what: until ? `${restart.what}, until ${until}` : restart.what, run }
}

/** Reports whether a unit is active on the running system. */
export function isActive(unit: string): Promise<boolean> {
  return runProgram('systemctl', 'is-active', unit).then(
    () => true,
    () => false,
  )
}

/** Returns the last log lines of the service itself, without those of systemd about it. Empty where there is no log. */
async function lastWords(unit: string): Promise<string> {
  // Makes sure that the journal contains what was just written, also on a busy host.
  await runProgram('journalctl', '--sync').catch(() => '')
  const own = ['-u', unit, '_TRANSPORT=stdout']
  return runProgram('journalctl', ...own, '-n', '5', '-o', 'cat', '--no-pager').catch(() => '')
}

function inTree(root: Root): string[] {
  return root.isLive ? [] : [`--root=${root.dir}`]
}
