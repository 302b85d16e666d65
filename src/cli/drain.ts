import { Command } from 'commander'
import { runDrainer } from '../client/drainer.ts'
import { Home } from '../client/home.ts'

/** Started by the program itself where something waits in the outbox; see client/drainer.ts. */
export function drainCommand(): Command {
  return new Command('drain')
    .description('send what waits in the outbox, and end when nothing does')
    .action(() => runDrainer(new Home()))
}
