import { Command } from 'commander'
import { version } from '../protocol/version.ts'
import { print } from './output.ts'

export function versionCommand(): Command {
  return new Command('version')
    .description('print the version')
    .option('--json', 'print JSON')
    .action((options: { json?: boolean }) => {
      print(options, { version, node: process.version }, () => version)
    })
}
