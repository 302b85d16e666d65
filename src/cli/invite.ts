import { Command } from 'commander'
import type { HubClient } from '../client/hub-client.ts'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { defaultHubBehindSsh, isLoopback } from '../protocol/hub-address.ts'
import { invitationLine } from '../protocol/join-line.ts'
import type { InviteAnswer } from '../protocol/members.ts'
import { SshHost } from '../protocol/ssh-host.ts'
import { visible, visibleLine } from '../text/visible.ts'
import { type AdminOptions, adminClient, withAdminOptions } from './admin.ts'
import { collectRanges, fromHelp } from './bind.ts'
import { hubAddress } from './hub-address.ts'
import { print } from './output.ts'
import { reachableAt, whyUnreachable } from './reachable.ts'
import { UsageError } from './usage-error.ts'

interface InviteOptions extends AdminOptions {
  human?: boolean
  owner?: string
  via?: string
  url?: string
  plain?: boolean
  from?: string[]
}

const plainOption = 'Print the line for a curl without TLS; others on the machine and on the network can read its code'

export function inviteCommand(): Command {
  const command = new Command('invite')
    .description('Create a member, and print the line that joins its machine')
    .argument('<name>', 'Name of the machine or human: a-z, 0-9 and -')
    .option('--human', 'Create a person instead of a machine')
    .option('--owner <human>', 'Owner of the machine')
    .option('--from <range>', fromHelp, collectRanges)
    .option('--via <host>', 'Host that the new machine reaches by ssh; there the hub is at localhost:3500, or at --url')
    .option('--url <url>', 'Address at which the new machine reaches the hub')
    .option('--plain', plainOption)
  return withAdminOptions(command).action(async (name: string, options: InviteOptions) => {
    const address = addressOf(options)
    const { client, url } = adminClient(options)
    const hub = url ?? address ?? (await unknownAddress(client))
    const kind = options.human ? 'human' : 'machine'
    const answer = await client.call(api.invite, { body: { name, kind, owner: options.owner, from: options.from } })
    await printJoinLine(answer, options, { hub, address }, [
      answer.renewed
        ? `${name} is a member already; its inbox stays, and its old token ends when this line is used.`
        : `${name} is a member now and can receive messages.`,
      'Run this on its machine within 10 minutes; it works once:',
    ])
    client.close()
  })
}

export function rotateCommand(): Command {
  const command = new Command('rotate')
    .description('Print the line that gives a machine a new token; the old token then stays valid for 10 minutes')
    .argument('<name>', 'Name of the member')
    .option('--via <host>', 'Host that the machine reaches by ssh; there the hub is at localhost:3500, or at --url')
    .option('--url <url>', 'Address at which the machine reaches the hub')
    .option('--plain', plainOption)
  return withAdminOptions(command).action(async (name: string, options: InviteOptions) => {
    const address = addressOf(options)
    const { client, url } = adminClient(options)
    const hub = url ?? address ?? (await unknownAddress(client))
    const answer = await client.call(api.rotateMember, { params: { name } })
    await printJoinLine(answer, options, { hub, address }, [`Run this on ${name} within 10 minutes, once:`])
    client.close()
  })
}

async function printJoinLine(
  { code, name, expiresAt, hubKey: key }: InviteAnswer,
  options: InviteOptions,
  { hub, address }: { hub: URL; address: URL | undefined },
  intro: string[],
): Promise<void> {
  const { via, plain } = options
  const found = address ? { origin: address.origin, others: [] } : await reachableAt(hub, plain ? undefined : key)
  const { others } = found
  const way = { address: new URL(found.origin), hubPort: address && hub.port, via, plain }
  const { command, origin, hubKey } = invitationLine({ code, hubKey: key }, way)
  const warning = await whyUnreachable(new URL(origin), { hub, via, hubKey })
  print(options, { code, name, expiresAt, hubKey: key, command }, () =>
    [
      ...intro,
      '',
      `  ${command}`,
      ...(address === undefined && isLoopback(new URL(origin))
        ? ['', "The hub answers on this host alone; another machine needs 'host' in hub.json, --url URL or --via HOST."]
        : []),
      ...(others.length > 0 ? ['', `This host is also ${others.join(', ')}; choose by --url URL.`] : []),
    ].join('\n'),
  )
  if (warning) process.stderr.write(`claude-net: warning: ${visible(warning)}\n`)
}

/** Says, before a code is made, what is wrong where neither the hub's directory nor an option names its address. */
async function unknownAddress(client: HubClient): Promise<never> {
  await client.call(api.health)
  throw new ClaudeNetError(
    'not_found',
    'The directory of the hub does not say where it listens.',
    'Say it with --url URL.',
  )
}

/** The address that the options name. What nobody could use is refused before a code is made, which would end the one before. */
function addressOf({ via, url }: InviteOptions): URL | undefined {
  const host = SshHost.safeParse(via)
  if (via !== undefined && !host.success) {
    throw new UsageError(
      `--via '${visibleLine(via, 100)}': ${host.error.issues[0]!.message}.`,
      'It looks like ovh5, or me@ovh5.example.com',
    )
  }
  const address = url === undefined ? undefined : hubAddress(url, '--url')
  if (via !== undefined && address?.protocol === 'https:') {
    throw new UsageError('--url: with --via, ssh encrypts already.', 'Use http://HOST:PORT')
  }
  return address ?? (via === undefined ? undefined : new URL(defaultHubBehindSsh))
}
