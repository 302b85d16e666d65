import { accessSync } from 'node:fs'
import { join } from 'node:path'
import { Command, InvalidArgumentError } from 'commander'
import { Home } from '../client/home.ts'
import type { HubClient } from '../client/hub-client.ts'
import { openMachine } from '../client/machine.ts'
import { api } from '../protocol/api.ts'
import type { ConsoleLink, ConsoleSession } from '../protocol/console.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { isLoopback } from '../protocol/hub-address.ts'
import { noSshHost } from '../protocol/ssh-host.ts'
import { ago, count, largestUnit } from '../text/spans.ts'
import { visibleLine } from '../text/visible.ts'
import { type AdminOptions, adminClient, serviceData, withAdminOptions } from './admin.ts'
import { hubAddress } from './hub-address.ts'
import { print, printWhole, table } from './output.ts'
import { reachableAt } from './reachable.ts'
import { UsageError } from './usage-error.ts'

interface ConsoleOptions extends AdminOptions {
  as?: string
  asMe?: boolean
  url?: string
  port?: number
}

export function consoleCommand(): Command {
  const command = new Command('console')
    .description('Print a link that opens the console in a browser; it works once, for 10 minutes')
    .option('--as <name>', 'On the host of the hub: open it as this person or machine instead of the admin')
    .option('--as-me', 'Act as this machine, even on the host of the hub')
    .option('--url <url>', "Address at which the browser reaches the hub (default: 'url' of hub.json)")
    .option('--port <port>', 'As this machine: port on 127.0.0.1 that is forwarded to the hub until Ctrl-C', toPort)
  withAdminOptions(command)
    // Refuses a word that is not a subcommand.
    .allowExcessArguments(false)
    .action((options: ConsoleOptions) => (isForAdmin(options) ? openAsAdmin(options) : openAsMachine(options)))

  addTo(command, 'sessions', 'List the browsers that are signed in to the console', async (client, options) => {
    const { sessions } = await client.call(api.consoleSessions)
    print(options, { sessions }, () => sessionsInWords(sessions, client.now()))
  })
  addTo(command, 'revoke', 'End a console session, or all of them', async (client, options, id) => {
    const answer = await client.call(api.consoleRevoke, { params: { id } })
    print(
      options,
      answer,
      () => `${count(answer.closed.length, 'session')} ended; a new link lets that browser in again.`,
    )
  }).argument('<id>', 'Id of a session, or all: every session of this machine, or, for the admin, of everyone', toId)

  command.addHelpText(
    'after',
    `
On the host of the hub the link is the admin's. On a machine it opens the console as that machine, and as its owner only
if hub.json contains "console": {"machinesSpeakForOwners": true}. People get a link from the bot with /console in a private
chat. If the machine reaches the hub by ssh, the command forwards a local port to the hub until Ctrl-C.`,
  )
  return command
}

type Work = (client: HubClient, options: ConsoleOptions, argument: string) => Promise<void>

/** Adds a command that asks as the admin or as this machine, as `console` itself does. */
function addTo(parent: Command, name: string, description: string, work: Work): Command {
  const command = new Command(name)
    .description(description)
    .option('--as-me', 'Act as this machine, even on the host of the hub')
  withAdminOptions(command).action(async (...args: unknown[]) => {
    const argument = typeof args[0] === 'string' ? args[0] : ''
    // Options before the name of this command belong to its parent.
    const options = (args.at(-1) as Command).optsWithGlobals<ConsoleOptions>()
    const { client } = isForAdmin(options) ? adminClient(options) : openMachine()
    try {
      await work(client, options, argument)
    } finally {
      client.close()
    }
  })
  parent.addCommand(command)
  return command
}

/** Whether somebody asks as the admin: they say so, or may on this host. On a machine they ask as that. */
function isForAdmin({ data, hub, tokenFile, as, asMe }: ConsoleOptions): boolean {
  const saysAdmin = [data, hub, tokenFile, as].some(option => option !== undefined)
  if (saysAdmin && asMe) throw new UsageError('--as-me is for a machine, the other options are for the admin.', '')
  if (saysAdmin || asMe) return saysAdmin
  return [serviceData, './data'].some(mayRead) || new Home().readConfig() === undefined
}

function mayRead(dir: string): boolean {
  try {
    accessSync(join(dir, 'admin.token'))
    return true
  } catch {
    return false
  }
}

async function openAsAdmin(options: ConsoleOptions): Promise<void> {
  if (options.port !== undefined) throw new UsageError('--port is for a machine.', 'Say --as-me, or leave it out.')
  const named = options.url === undefined ? undefined : hubAddress(options.url, '--url')
  const { client, url: hub } = adminClient(options)
  try {
    const link = await client.call(api.consoleLink, { body: options.as === undefined ? {} : { for: options.as } })
    const { origin, others } = await originOf(link, named, hub)
    await show(options, link, origin, [
      ...(others.length > 0 ? ['', `This host is also ${others.join(', ')}; choose by --url URL.`] : []),
    ])
  } finally {
    client.close()
  }
}

/** Returns the hub's address for the browser: the one given, the one in hub.json, or an address of this host. */
async function originOf(
  { url }: ConsoleLink,
  named: URL | undefined,
  hub: URL | undefined,
): Promise<{ origin: string; others: string[] }> {
  if (named) return { origin: named.origin, others: [] }
  if (url !== undefined) return { origin: new URL(url).origin, others: [] }
  if (hub) return reachableAt(hub, undefined)
  throw new ClaudeNetError(
    'not_found',
    'Neither hub.json nor the directory of the hub says where a browser reaches it.',
    'Say it with --url URL, or as "url" in hub.json.',
  )
}

async function openAsMachine(options: ConsoleOptions): Promise<void> {
  const named = options.url === undefined ? undefined : hubAddress(options.url, '--url')
  const { client, config, home, transport } = openMachine()
  try {
    const isFar = config.sshHost !== noSshHost
    if (named && options.port !== undefined)
      throw new UsageError('--url and --port exclude each other.', 'A port of this machine has its own address.')
    if (named || (!isFar && options.port === undefined)) {
      const link = await client.call(api.consoleLink, { body: {} })
      await show(
        options,
        link,
        named?.origin ?? (link.url === undefined ? transport.way.hub.origin : new URL(link.url).origin),
        [],
      )
      return
    }
    const { forwardPort } = await import('./console-forward.ts')
    await using forward = await forwardPort(home, options.port ?? 0)
    const link = await client.call(api.consoleLink, { body: {} })
    const way = isFar ? `through ${config.sshHost} ` : ''
    await show(options, link, forward.origin, ['', `That port of this machine leads ${way}to the hub until Ctrl-C.`])
    await forward.ended
  } finally {
    client.close()
  }
}

async function show(options: ConsoleOptions, link: ConsoleLink, origin: string, more: string[]): Promise<void> {
  const url = origin + link.path
  const { name, role } = link.as
  const isOpen = origin.startsWith('http:') && !isLoopback(new URL(origin))
  const { expiresAt } = link
  await printWhole(options, { url, expiresAt, as: link.as }, () =>
    [
      `Open this in a browser within 10 minutes. It works once, and lets in whoever has it, as ${role === 'admin' ? 'the admin' : `${name} (${role})`}:`,
      '',
      `  ${url}`,
      ...more,
      ...(isOpen
        ? ['', 'It goes without TLS: whoever can listen on the way gets in, too. docs/console.md has safer ways.']
        : []),
    ].join('\n'),
  )
}

function sessionsInWords(sessions: ConsoleSession[], now: number): string {
  if (sessions.length === 0) return 'Nobody is in the console.'
  return table([
    ['ID', 'WHO', 'SINCE', 'LAST USED', 'FROM', 'BROWSER', 'ENDS IN'],
    ...sessions.map(({ id, name, since, lastUsedAt, address, browser, expiresAt }) => [
      ...[
        id,
        name,
        ago(Date.parse(since), now),
        ago(Date.parse(lastUsedAt), now),
        visibleLine(address, 60),
        visibleLine(browser, 60),
      ],
      largestUnit(Math.max(0, Date.parse(expiresAt) - now)),
    ]),
  ])
}

function toPort(text: string): number {
  const port = Number(text)
  if (/^\d+$/.test(text) && port > 0 && port < 65_536) return port
  throw new InvalidArgumentError('It is a number from 1 to 65535.')
}

function toId(text: string): string {
  if (/^(?:all|[0-9a-z]{8})$/.test(text)) return text
  throw new InvalidArgumentError('It is an id from claude-net console sessions, or all.')
}
