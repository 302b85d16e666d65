import { ClaudeNetError } from '../protocol/errors.ts'
import { unitName } from './layout.ts'
import { command, runProgram, type Step } from './step.ts'

/** The unit is known, starts at boot, and runs now. `before` is the version to name as the way back, if it does not start. */
export function started(before: string | undefined): Step[] {
  return [
    command('systemctl', 'daemon-reload'),
    command('systemctl', 'enable', unitName),
    { what: `run systemctl restart ${unitName}, until the hub says that it is ready`, run: () => restart(before) },
  ]
}

/** Whether the hub runs and has said that it is ready. */
export async function isRunning(): Promise<boolean> {
  return runProgram('systemctl', 'is-active', unitName).then(
    () => true,
    () => false,
  )
}

async function restart(before: string | undefined): Promise<void> {
  try {
    await runProgram('systemctl', 'restart', unitName)
  } catch (error) {
    const log = await runProgram('journalctl', '-u', unitName, '-n', '5', '-o', 'cat', '--no-pager').catch(() => '')
    const back = before ? `sudo claude-net install-service --back returns to ${before}. ` : ''
    throw new ClaudeNetError(
      'internal',
      `The service does not start. Its log ends with:\n${log.trim() || (error as Error).message}`,
      `${back}docs/operations.md has more under "Troubleshooting".`,
    )
  }
}
