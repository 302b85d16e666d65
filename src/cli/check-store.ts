import { Command } from 'commander'
import { loadHub } from './hub.ts'

/** The command that a running hub starts to check its store; for internal use. Prints the findings as JSON. */
export function checkStoreCommand(): Command {
  return new Command('check-store').argument('<file>').action(async (file: string) => {
    const { checkFile } = await loadHub()
    process.stdout.write(`${JSON.stringify(checkFile(file))}\n`)
  })
}
