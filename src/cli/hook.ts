import { Command } from 'commander'

/** Only the help of it: `start.ts` runs it before this file is loaded. */
export function hookCommand(): Command {
  return new Command('hook')
    .description('tell a Claude Code session of new mail; Claude Code runs this, see docs/noticing.md')
    .option('--if-news', 'the launcher may end this at once when there is nothing to tell')
    .option('--note', 'note only what the session does; for a hook that runs in the background')
    .option('--wait', 'wait until the session should wake, then say why on stderr and exit with 2')
}
