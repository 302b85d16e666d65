import { resolve } from 'node:path'
import { Command } from 'commander'
import { loadHub } from './hub.ts'
import { print } from './output.ts'
import { UsageError } from './usage-error.ts'

interface JournalOptions {
  journal?: string
  config?: string
  json?: boolean
}

export function journalCommand(): Command {
  const command = new Command('journal').description('Begin or leave a history that several hubs share in etcd')
  withJournal(command.command('init'), 'Location of the history: etcd://HOST:PORT,HOST:PORT,…[/NAME]')
    .description(
      'Begin a history in etcd, from the store of a stopped hub or empty; if interrupted, run it again to continue',
    )
    .option('--from <dir>', 'Data directory of the stopped hub, which becomes the first hub of the history')
    .action(async ({ from, ...options }: JournalOptions & { from?: string }) => {
      const { beginHistory } = await loadHub()
      const begun = await beginHistory(await journalOf(options), from && resolve(from))
      print(options, begun, () => {
        const again = begun.wasThere ? ' before, and nothing was changed' : ''
        if (begun.from === null)
          return [
            `The history '${begun.name}' has begun with nothing${again}.`,
            'Start its hubs, each with an empty data directory, this log, and a name of its own (hubName).',
          ].join('\n')
        return [
          `The history '${begun.name}' has begun with the store in ${begun.from}, at entry ${begun.seq}${again}.`,
          'Start that hub with this log. Then start the others, each with an empty data directory and a name of its own (hubName):',
          'they take a snapshot of it by themselves.',
        ].join('\n')
      })
    })
  withJournal(
    command.command('leave'),
    'First apply the entries of this log that the store lacks: etcd://HOST:PORT,…[/NAME]',
  )
    .description('Detach the store of a stopped hub from the history; the other hubs continue without it')
    .option('--data <dir>', 'Data directory of the hub (default: the one in hub.json)')
    .action(async ({ data, ...options }: JournalOptions & { data?: string }) => {
      const { leaveHistory, readHubConfig } = await loadHub()
      const dir = data ?? (options.config && readHubConfig({ config: options.config }).data)
      if (dir === undefined) throw new UsageError('Which store shall leave?', 'claude-net journal leave --data DIR')
      const isCaughtUp = options.journal !== undefined || options.config !== undefined
      const left = await leaveHistory(resolve(dir), isCaughtUp ? await journalOf(options) : undefined)
      print(options, { ...left, at: new Date(left.time).toISOString() }, () =>
        [
          `The store in ${resolve(dir)} stands alone. It has the history '${left.name}' up to entry ${left.seq}, of ${new Date(left.time).toISOString()}.`,
          isCaughtUp
            ? 'That is all that the log had.'
            : 'What other hubs have written since then is not in it; --journal or --config would have taken that from the log.',
          `Start the hub without a log: without --journal, and without "journal" in hub.json. While others go on: claude-net hubs forget ${left.hub ?? 'NAME'}, at one of them.`,
        ].join('\n'),
      )
    })
  return command
}

function withJournal(command: Command, what: string): Command {
  return command
    .option('--journal <url>', what)
    .option('--config <file>', 'Configuration file, hub.json, whose journal is used (endpoints, name, tls, user)')
    .option('--json', 'Print JSON')
}

/** The log that flags or hub.json name. */
async function journalOf({ journal: url, config }: JournalOptions) {
  const { readHubConfig } = await loadHub()
  const { journal } = readHubConfig({ journal: url, config })
  if (journal) return journal
  throw new UsageError(
    'Which log?',
    'Name it: --journal etcd://HOST:PORT,HOST:PORT,HOST:PORT, or --config FILE with "journal" in it.',
  )
}
