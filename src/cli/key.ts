import { Command } from 'commander'
import { api } from '../protocol/api.ts'
import type { KeyAnswer, RotateKeyAnswer } from '../protocol/key-chain.ts'
import { ago, count } from '../text/spans.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print, table } from './output.ts'

export function keyCommand(): Command {
  const command = new Command('key').description('Show or replace the key that proves the identity of the hub')
  withAdminOptions(
    command.command('show', { isDefault: true }).description('Show the key, its age, and the chain of earlier keys'),
  )
    // Refuses a word that is not a subcommand.
    .allowExcessArguments(false)
    .action((options: AdminOptions) =>
      asAdmin(options, async client => {
        const answer = await client.call(api.getKey)
        print(options, answer, () => inWords(answer, client.now()))
      }),
    )
  withAdminOptions(
    command
      .command('rotate')
      .description('Replace the key; machines that have pinned the old one accept the new one automatically')
      .option(
        '--compromised',
        'Distrust the old key, which may be stolen, and list the machines that must pin the new key or join again',
      ),
  ).action((options: AdminOptions & { compromised?: boolean }) =>
    asAdmin(options, async client => {
      const compromised = options.compromised === true
      const answer = await client.call(api.rotateKey, { body: { compromised } })
      print(options, answer, () => rotated(answer, compromised))
    }),
  )
  command.addHelpText('after', '\nBoth commands take --data, --hub, --hub-key, --token-file and --json.')
  return command
}

function inWords({ hubKey, madeAt, isOwn, links }: KeyAnswer, now: number): string {
  const age = madeAt === null ? 'at a time that was not written down' : `${ago(Date.parse(madeAt), now)} (${madeAt})`
  return [
    table([
      ['Key', hubKey],
      ['Made', isOwn ? "by you: it is of the files that 'tls' of hub.json names" : age],
      [
        'Chain',
        links.length === 0
          ? 'none: no earlier key leads to it'
          : `${count(links.length, 'earlier key leads', 'earlier keys lead')} to it`,
      ],
    ]),
    ...(links.length === 0 ? [] : ['', table([['REPLACED BY', 'AT'], ...links.map(({ to, at }) => [to, at])])]),
  ].join('\n')
}

function rotated({ hubKey, before, links, mustJoin }: RotateKeyAnswer, compromised: boolean): string {
  const common = [
    `The hub has a new key: ${hubKey}`,
    `Before: ${before}`,
    '',
    'Lines of invites that were printed before no longer work (curl ends with 90): claude-net invite NAME makes new ones.',
    'So does an admin elsewhere need the new key: --hub-key.',
  ]
  if (!compromised) {
    return [
      ...common,
      `Machines that know an earlier key of the chain (${count(links.length, 'link')}) follow by themselves when they next speak with the hub.`,
    ].join('\n')
  }
  return [
    ...common,
    'The old key vouches for nothing: machines that know it, or an earlier one, send nothing until they know the new one.',
    ...(mustJoin.length === 0
      ? ['No machine has spoken TLS, as far as the hub knows.']
      : [
          'On each of these, unless it speaks without TLS, run: claude-net pin --again',
          'If the store of the hub may be in wrong hands too, run there the line of claude-net invite NAME instead:',
          ...mustJoin.map(name => `  ${name}`),
        ]),
  ].join('\n')
}
