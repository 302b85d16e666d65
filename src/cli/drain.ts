import { Command } from 'commander'
import { runDrainer } from '../client/drainer.ts'
import { Home } from '../client/home.ts'

/** Started by the program itself where something waits in the outbox; see client/drainer.ts. */
export function drainCommand(): Command {
  return new Command('drain')
    .description('Send the messages in the outbox, and exit when it is empty')
    .action(() => runDrainer(new Home()))
}
