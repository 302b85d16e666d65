import { Command } from 'commander'
import { api } from '../protocol/api.ts'
import type { HubsAnswer } from '../protocol/hubs.ts'
import { hubStateInWords, hubTroubles } from '../text/hubs.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print, table } from './output.ts'

/** Characters of a chain that are shown: enough to compare two. */
const shownOfChain = 8

export function hubsCommand(): Command {
  const command = new Command('hubs').description('List the hubs that share this history, or remove one')
  withAdminOptions(
    command
      .command('list', { isDefault: true })
      .description('List each hub with its version, its position in the history, and whether its outcomes agree'),
  )
    // Refuses a word that is not a subcommand.
    .allowExcessArguments(false)
    .action((options: AdminOptions) =>
      asAdmin(options, async client => {
        const answer = await client.call(api.listHubs)
        print(options, answer, () => inWords(answer))
      }),
    )
  withAdminOptions(
    command
      .command('forget')
      .argument('<name>', 'Name of a hub that will not return')
      .description('Remove a hub, so that nothing waits for it; it is added again if it returns'),
  ).action((name: string, options: AdminOptions) =>
    asAdmin(options, async client => {
      const answer = await client.call(api.forgetHub, { params: { name } })
      print(options, answer, () => `${answer.name} is forgotten.`)
    }),
  )
  command.addHelpText('after', '\nBoth commands take --data, --hub, --hub-key, --token-file and --json.')
  return command
}

function inWords(answer: HubsAnswer): string {
  const { hubs, rules } = answer
  if (rules == null) return 'This hub stands alone. docs/scaling.md says who needs several.'
  const rows = hubs.map(hub => [
    hub.name,
    hubStateInWords(hub),
    hub.version ?? '',
    hub.offset == null ? '' : String(hub.offset),
    hub.lag == null ? '' : String(hub.lag),
    (hub.outcomes ?? '').slice(0, shownOfChain),
    hub.url ?? 'NO ADDRESS: url in its hub.json',
  ])
  return [
    table([['HUB', 'STATE', 'VERSION', 'RECORD', 'LAG', 'OUTCOMES', 'ADDRESS'], ...rows]),
    ...hubTroubles(answer).map(line => `\n${line}`),
  ].join('\n')
}
