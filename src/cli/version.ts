import { Command } from 'commander'
import { version } from '../protocol/version.ts'
import { print } from './output.ts'

export function versionCommand(): Command {
  return new Command('version')
    .description('Print the version')
    .option('--json', 'Print JSON')
    .action((options: { json?: boolean }) => {
      print(options, { version, node: process.version }, () => version)
    })
}
