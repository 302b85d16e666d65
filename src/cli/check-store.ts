import { Command } from 'commander'
import { loadHub } from './hub.ts'

/** What a running hub starts to check its store; nobody else has a use for it. Prints what was found as JSON. */
export function checkStoreCommand(): Command {
  return new Command('check-store').argument('<file>').action(async (file: string) => {
    const { checkFile } = await loadHub()
    process.stdout.write(`${JSON.stringify(checkFile(file))}\n`)
  })
}
