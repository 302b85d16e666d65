import { Command } from 'commander'
import { visibleJson } from '../text/visible.ts'
import { loadHub } from './hub.ts'
import { exit, fail } from './output.ts'

/** The command that a running hub starts for a backup; for internal use. Prints `copied`, then the report as JSON. */
export function copyStoreCommand(): Command {
  return new Command('copy-store')
    .argument('<from>')
    .argument('<to>')
    .action(async (from: string, to: string) => {
      try {
        const hub = process.ppid
        const { copyStore } = await loadHub()
        const report = copyStore(from, to, () => {
          // A hub that was killed needs no copy, and the next one makes its own checkpoint.
          if (process.ppid !== hub) process.exit(exit.refused)
          process.stdout.write('copied\n')
        })
        process.stdout.write(`${visibleJson(report)}\n`)
      } catch (error) {
        fail(error, true)
        process.exitCode = exit.refused
      }
    })
}
