import { Command } from 'commander'

/** Only the help of it: `start.ts` runs it before this file is loaded. */
export function hookCommand(): Command {
  return new Command('hook')
    .description('Notify a Claude Code session of new messages; run by Claude Code, see docs/noticing.md')
    .option('--if-news', 'Allow the launcher to exit at once if there is nothing to report')
    .option('--note', 'Only record what the session does; for a hook that runs in the background')
    .option('--wait', 'Wait until the session is to be woken, then print the reason to stderr and exit with status 2')
    .addHelpText('after', "\nThe input and output are the JSON of Claude Code's hooks, so there is no --json.")
}
