import { Argument, Command, Option } from 'commander'
import { api } from '../protocol/api.ts'
import {
  WebhookSource as sources,
  type Webhook,
  type WebhookSecrets,
  type WebhookSource,
} from '../protocol/webhooks.ts'
import { ago } from '../text/spans.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print, table } from './output.ts'
import {
  deadCommand,
  deleteOutgoing,
  isOutgoing,
  outCommand,
  outgoingOf,
  outgoingTable,
  rotateOutgoing,
  testCommand,
} from './webhook-out.ts'

type AddOptions = AdminOptions & {
  to: string[]
  name?: string
  template?: string
  failedAs?: 'request'
  signed?: true
}

export function webhookCommand(): Command {
  const command = new Command('webhook').description(
    'let events from outside become messages (GitHub, GitLab, Alertmanager), or post events of the hub to a URL',
  )
  for (const each of [addCommand(), listCommand(), rotateCommand(), deleteCommand(), testCommand(), outCommand(), deadCommand()])
    command.addCommand(each)
  command.addHelpText(
    'after',
    '\nAll of them take --data, --hub, --token-file and --json. docs/webhooks.md has each source.',
  )
  return command
}

function addCommand(): Command {
  const command = new Command('add')
    .description('make a service with a secret URL, which its source calls with each event')
    .addArgument(new Argument('<source>', 'who calls it').choices(sources.options))
    .requiredOption('--to <names...>', 'to whom its events go: machines, people, groups, MACHINE/PROJECT')
    .option('--name <name>', 'the name of the service (default SOURCE-TO)')
    .option(
      '--template <text>',
      'the text of its messages, with {{line}}, {{link}}, {{actor}}, {{event}}, {{payload.PATH}}',
    )
    .addOption(new Option('--failed-as <intent>', 'what reports a failure asks for something').choices(['request']))
    .option('--signed', 'of generic: calls must be signed, as Standard Webhooks has it')
  return withAdminOptions(command).action((source: WebhookSource, options: AddOptions) =>
    asAdmin(options, async (client, url) => {
      const { to, template, failedAs, signed } = options
      const name = options.name ?? nameFor(source, to)
      const answer = await client.call(api.addWebhook, { body: { name, source, to, template, failedAs, signed } })
      print(options, answer, () => made(`${name} is a service now: its events go to ${to.join(', ')}.`, answer, url))
    }),
  )
}

function listCommand(): Command {
  return withAdminOptions(new Command('list').description('list the webhooks, and how they fare')).action(
    (options: AdminOptions) =>
      asAdmin(options, async client => {
        const { webhooks } = await client.call(api.listWebhooks)
        const outgoing = await outgoingOf(client)
        const now = client.now()
        print(options, { webhooks, outgoing }, () =>
          webhooks.length + outgoing.length === 0
            ? 'No webhooks yet. Make the first: claude-net webhook add github --to NAME'
            : [...incomingTable(webhooks, now), ...(outgoing.length > 0 ? [outgoingTable(outgoing, now)] : [])].join(
                '\n\n',
              ),
        )
      }),
  )
}

function incomingTable(webhooks: readonly Webhook[], now: number): string[] {
  if (webhooks.length === 0) return []
  const rows = webhooks.map(each => [each.name, each.source, each.to.join(', '), lastCall(each, now)])
  return [table([['NAME', 'SOURCE', 'TO', 'LAST CALL'], ...rows])]
}

function rotateCommand(): Command {
  const command = new Command('rotate')
    .description('another URL and signing secret; the old ones go on for 10 minutes')
    .argument('<name>', 'the webhook')
    .option('--now', 'end the old ones at once')
  return withAdminOptions(command).action((name: string, options: AdminOptions & { now?: true }) =>
    asAdmin(options, async (client, url) => {
      if (await isOutgoing(client, name)) return rotateOutgoing(client, name, options)
      const query = options.now ? { now: 'true' as const } : {}
      const answer = await client.call(api.rotateWebhook, { params: { name }, query })
      const old = answer.goesOnUntil ? `The old ones go on until ${answer.goesOnUntil}.` : 'The old ones have ended.'
      print(options, answer, () => made(`${name} has another URL. ${old}`, answer, url))
    }),
  )
}

function deleteCommand(): Command {
  const command = new Command('delete')
    .description('take a webhook and its service away; what it wrote stays')
    .argument('<name>', 'the webhook')
  return withAdminOptions(command).action((name: string, options: AdminOptions) =>
    asAdmin(options, async client => {
      if (await isOutgoing(client, name)) return deleteOutgoing(client, name, options)
      const answer = await client.call(api.deleteWebhook, { params: { name } })
      print(options, answer, () => `${answer.name} is gone, and its URL with it.`)
    }),
  )
}

/** What is to be called, and with which secret. It is shown once. */
function made(said: string, { path, url, signingSecret }: WebhookSecrets, hub: URL | undefined): string {
  return [
    said,
    `URL     ${url ?? `${hub?.origin ?? 'http://HUB'}${path}`}`,
    ...(signingSecret ? [`Secret  ${signingSecret}`] : []),
    '',
    `Both are shown this once. ${whereToPut}`,
  ].join('\n')
}

const whereToPut = 'docs/webhooks.md says where they go.'

/** Letters, digits and hyphens of the source and of the first recipient. */
function nameFor(source: string, [to = '']: string[]): string {
  return `${source}-${to.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`.slice(0, 64).replace(/-+$/, '')
}

function lastCall({ last, revoked, createdAt }: Webhook, now: number): string {
  if (revoked) return 'revoked: claude-net webhook rotate gives it a new URL'
  if (!last) return `none since the hub was started; made ${ago(Date.parse(createdAt), now)}`
  return `${ago(Date.parse(last.at), now)}: ${last.event} ${last.result}${last.why ? ` (${last.why})` : ''}`
}
