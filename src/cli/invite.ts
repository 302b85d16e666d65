import { networkInterfaces } from 'node:os'
import { Command } from 'commander'
import { defaultHubBehindSsh } from '../client/home.ts'
import { HubClient } from '../client/hub-client.ts'
import { DirectTransport } from '../client/transport/direct.ts'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { InviteAnswer } from '../protocol/members.ts'
import { SshHost } from '../protocol/ssh-host.ts'
import { visibleLine } from '../text/visible.ts'
import { type AdminOptions, adminClient, withAdminOptions } from './admin.ts'
import { print } from './output.ts'

/** The address of the host as its containers see it (LXC's bridge), the first choice for a join line. */
const bridgeAddress = '10.0.3.1'

interface InviteOptions extends AdminOptions {
  human?: boolean
  owner?: string
  via?: string
  url?: string
}

export function inviteCommand(): Command {
  const command = new Command('invite')
    .description('make a member and print the one line that joins its machine')
    .argument('<name>', 'name of the machine or human: a-z, 0-9 and -')
    .option('--human', 'the member is a person, not a machine')
    .option('--owner <human>', 'whom the machine belongs to')
    .option('--via <host>', 'where the new machine goes by ssh; the hub answers there at localhost:3500, or --url')
    .option('--url <url>', 'address at which the new machine reaches the hub')
  return withAdminOptions(command).action(async (name: string, options: InviteOptions) => {
    refuseBadVia(options)
    const { client, url } = adminClient(options)
    const kind = options.human ? 'human' : 'machine'
    const answer = await client.call(api.invite, { body: { name, kind, owner: options.owner } })
    await printJoinLine(answer, options, url, [
      answer.renewed
        ? `${name} is a member already; its inbox stays, its old token dies when this is used.`
        : `${name} is a member now: mail can wait for it.`,
      'Run this there within 10 minutes, once:',
    ])
    client.close()
  })
}

export function rotateCommand(): Command {
  const command = new Command('rotate')
    .description('print the line that gives a machine a new token; the old one goes on for 10 minutes after')
    .argument('<name>', 'the member')
    .option('--via <host>', 'where the machine goes by ssh; the hub answers there at localhost:3500, or --url')
    .option('--url <url>', 'address at which the machine reaches the hub')
  return withAdminOptions(command).action(async (name: string, options: InviteOptions) => {
    refuseBadVia(options)
    const { client, url } = adminClient(options)
    const answer = await client.call(api.rotateMember, { params: { name } })
    await printJoinLine(answer, options, url, [`Run this on ${name} within 10 minutes, once:`])
    client.close()
  })
}

async function printJoinLine(
  { code, name, expiresAt }: InviteAnswer,
  options: InviteOptions,
  hub: URL,
  intro: string[],
): Promise<void> {
  const { via } = options
  const known = options.url ? new URL(options.url).origin : via && defaultHubBehindSsh
  const [address, ...others] = known ? [known] : await reachableAt(hub)
  const command = via
    ? `ssh ${via} 'curl -fsSL "${new URL(address!).host}/join/${code}?via=${via}"' | sh`
    : `curl -fsSL ${address}/join/${code} | sh`
  print(options, { code, name, expiresAt, command }, () =>
    [
      ...intro,
      '',
      `  ${command}`,
      ...(others.length > 0 ? ['', `This host is also ${others.join(', ')}; choose by --url URL.`] : []),
    ].join('\n'),
  )
}

/** Before a code is made: one that nobody could use would end the one before. */
function refuseBadVia({ via }: InviteOptions): void {
  const host = SshHost.safeParse(via)
  if (via === undefined || host.success) return
  throw new ClaudeNetError(
    'invalid',
    `--via '${visibleLine(via, 100)}': ${host.error.issues[0]!.message}.`,
    'It looks like ovh5, or me@ovh5.example.com',
  )
}

/** Addresses under which others may reach a hub that this host knows as `url`, the likeliest first. */
async function reachableAt(url: URL): Promise<string[]> {
  if (!['127.0.0.1', '[::1]', 'localhost'].includes(url.hostname)) return [url.origin]
  const candidates = Object.values(networkInterfaces())
    .flatMap(addresses => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address)
    .sort((a, b) => Number(b === bridgeAddress) - Number(a === bridgeAddress))
    .map(address => `http://${address}:${url.port || 80}`)
  // A hub that listens on one address only does not answer on the others.
  const answers = await Promise.all(candidates.map(isHub))
  const reachable = candidates.filter((_, index) => answers[index])
  return reachable.length > 0 ? reachable : [url.origin]
}

async function isHub(origin: string): Promise<boolean> {
  const client = new HubClient({ transport: new DirectTransport(new URL(origin)), timeoutMs: 1000 })
  try {
    return (await client.call(api.health)).ok
  } catch {
    return false
  } finally {
    client.close()
  }
}
