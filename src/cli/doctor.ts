import { Command } from 'commander'
import { Home } from '../client/home.ts'
import { diagnose, report } from './diagnose.ts'
import { exit, print } from './output.ts'

export function doctorCommand(): Command {
  return new Command('doctor')
    .description('prove each link from this machine to its inbox, and say how to mend what fails')
    .option('--json', 'print JSON')
    .action(async (options: { json?: boolean }) => {
      const checks = await diagnose(new Home())
      print(options, { checks }, () => report(checks))
      if (checks.some(({ state }) => state === 'failed')) process.exitCode = exit.refused
    })
}
