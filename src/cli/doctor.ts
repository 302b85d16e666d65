import { Command } from 'commander'
import { startDrainer } from '../client/drainer.ts'
import { Home } from '../client/home.ts'
import { diagnose, report } from './diagnose.ts'
import { exit, print } from './output.ts'
import { proveWake } from './prove-wake.ts'

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('Check each link from this machine to its inbox, and explain how to fix what fails')
    .option('--wake', 'Also wake a running session by a message to this machine, and report what woke it')
    .option('--json', 'Print JSON')
    .action(async (options: { wake?: boolean; json?: boolean }) => {
      const home = new Home()
      const checks = await diagnose(home)
      const canSend = checks.every(({ link, state }) => link === 'claude' || state !== 'failed')
      if (options.wake && canSend)
        checks.push(await proveWake(home, line => process.stderr.write(`claude-net: ${line}\n`)))
      print(options, { checks }, () => report(checks))
      startDrainer(home)
      if (checks.some(({ state }) => state === 'failed')) process.exitCode = exit.refused
    })
}
