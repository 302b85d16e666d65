import { ClaudeNetError } from '../protocol/errors.ts'
import { socketName, unitName } from './layout.ts'
import { command, runProgram, type Step } from './step.ts'

/**
 * Returns the steps after which systemd has loaded the units, starts them at boot, and runs them now. `before` is the version to name as the way back, if it does not start; `socket`
 * says whether systemd is to hold the port, and whether by a unit that is new.
 */
export function started(before: string | undefined, socket: { isNew: boolean } | undefined): Step[] {
  return [
    command('systemctl', 'daemon-reload'),
    command('systemctl', 'enable', ...(socket ? [socketName] : []), unitName),
    ...(socket ? [{ what: `let ${socketName} hold the port`, run: () => holdPort(socket.isNew) }] : []),
    { what: `run systemctl restart ${unitName}, until the hub says that it is ready`, run: () => restart(before) },
  ]
}

/** Whether the hub runs and has said that it is ready. */
export async function isRunning(): Promise<boolean> {
  return isActive(unitName)
}

/** Stops a hub that listens by itself, or on another address, before systemd takes the port. A port that systemd holds already stays held. */
async function holdPort(isNew: boolean): Promise<void> {
  if (!isNew && (await isActive(socketName))) return
  await runProgram('systemctl', 'stop', unitName)
  await runProgram('systemctl', 'restart', socketName)
}

function isActive(unit: string): Promise<boolean> {
  return runProgram('systemctl', 'is-active', unit).then(
    () => true,
    () => false,
  )
}

async function restart(before: string | undefined): Promise<void> {
  try {
    await runProgram('systemctl', 'restart', unitName)
  } catch (error) {
    const log = await lastWords()
    const back = before ? `sudo claude-net install-service --back returns to ${before}. ` : ''
    throw new ClaudeNetError(
      'internal',
      `The service does not start. Its log ends with:\n${log.trim() || (error as Error).message}`,
      `${back}docs/operations.md has more under "Troubleshooting".`,
    )
  }
}

/** Returns the last log lines of the service itself, without those of systemd about it. Empty where there is no log. */
async function lastWords(): Promise<string> {
  // What was written just before is in the journal then, also on a busy host.
  await runProgram('journalctl', '--sync').catch(() => '')
  const own = ['-u', unitName, '_TRANSPORT=stdout']
  return runProgram('journalctl', ...own, '-n', '5', '-o', 'cat', '--no-pager').catch(() => '')
}
