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
  testOutgoing,
  testTimeoutMs,
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
    'Receive events from GitHub, GitLab, Alertmanager and others as messages, or post events of the hub to a URL',
  )
  const incoming = [addCommand(), listCommand(), testCommand(), changeCommand(), rotateCommand(), deleteCommand()]
  for (const each of [...incoming, outCommand(), deadCommand()]) command.addCommand(each)
  command.addHelpText(
    'after',
    '\nAll commands take --data, --hub, --hub-key, --token-file and --json. docs/webhooks.md describes each source.',
  )
  return command
}

function addCommand(): Command {
  const command = new Command('add')
    .description('Create a service with a secret URL, which its source calls for each event')
    .addArgument(new Argument('<source>', 'Source of the events').choices(sources.options))
    .requiredOption('--to <names...>', 'Recipients of its messages: machines, people, groups, MACHINE/PROJECT')
    .option('--name <name>', 'Name of the service (default: SOURCE-TO)')
    .option(
      '--template <text>',
      'Text of its messages, with {{line}}, {{link}}, {{actor}}, {{event}}, {{payload.PATH}}',
    )
    .addOption(new Option('--failed-as <intent>', 'Intent of messages that report a failure').choices(['request']))
    .option('--signed', 'For generic: accept only calls signed according to Standard Webhooks')
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
  return withAdminOptions(new Command('list').description('List the webhooks and their state')).action(
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

function testCommand(): Command {
  const command = new Command('test')
    .description('Send an example event to the recipients of a webhook, or post one to its URL')
    .argument('<name>', 'Name of the webhook')
  return withAdminOptions(command).action((name: string, options: AdminOptions) =>
    asAdmin(
      options,
      async client => {
        if (await isOutgoing(client, name)) return testOutgoing(client, name, options)
        const answer = await client.call(api.testWebhook, { params: { name } })
        const became = answer.recipients.map(({ name, status, reason }) => `${name} (${reason ?? status})`).join(', ')
        print(options, answer, () => `Sent to ${became}:\n\n${answer.body}`)
      },
      testTimeoutMs,
    ),
  )
}

type ChangeOptions = AdminOptions & { to?: string[]; template?: string | false; failedAs?: 'request' | false }

function changeCommand(): Command {
  const command = new Command('change')
    .description('Change the recipients or texts of a webhook; options that are not given stay as they are')
    .argument('<name>', 'Name of the webhook')
    .option('--to <names...>', 'Recipients of its messages')
    .option('--template <text>', 'Text of its messages')
    .option('--no-template', 'Use the default text of its source: one line and a link')
    .addOption(new Option('--failed-as <intent>', 'Intent of messages that report a failure').choices(['request']))
    .option('--no-failed-as', 'Report failures with the intent inform, like all other events')
  return withAdminOptions(command).action((name: string, options: ChangeOptions) =>
    asAdmin(options, async client => {
      const { to, template, failedAs } = options
      const body = {
        to,
        template: template === false ? null : template,
        failedAs: failedAs === false ? null : failedAs,
      }
      const answer = await client.call(api.changeWebhook, { params: { name }, body })
      print(
        options,
        answer,
        () => `${answer.name} is changed. claude-net webhook test ${answer.name} shows how it reads.`,
      )
    }),
  )
}

function rotateCommand(): Command {
  const command = new Command('rotate')
    .description('Replace the URL and the signing secret; the old ones stay valid for 10 minutes')
    .argument('<name>', 'Name of the webhook')
    .option('--now', 'Invalidate the old ones at once')
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
    .description('Delete a webhook and its service; its messages stay')
    .argument('<name>', 'Name of the webhook')
  return withAdminOptions(command).action((name: string, options: AdminOptions) =>
    asAdmin(options, async client => {
      if (await isOutgoing(client, name)) return deleteOutgoing(client, name, options)
      const answer = await client.call(api.deleteWebhook, { params: { name } })
      print(options, answer, () => `${answer.name} is gone, and its URL with it.`)
    }),
  )
}

/** Describes the URL to call and its secret, which is shown once. */
function made(said: string, { source, path, url, signingSecret }: WebhookSecrets, hub: URL | undefined): string {
  const whole = url ?? `${hub?.origin ?? 'http://HUB'}${path}`
  return [
    said,
    '',
    `  URL     ${whole}`,
    ...(signingSecret ? [`  Secret  ${signingSecret}`] : []),
    '',
    whereToPut(source, whole, signingSecret !== undefined),
    `${signingSecret ? 'Both are' : 'It is'} shown this once. Whoever has ${signingSecret ? 'them' : 'it'} can write to the recipients in the name of the webhook.`,
    ...(url
      ? []
      : [
          'The address is as this host knows it. Where the source reaches the hub by another, name that in hub.json: "url".',
        ]),
  ].join('\n')
}

function whereToPut(source: WebhookSource, url: string, isSigned: boolean): string {
  switch (source) {
    case 'github':
      return 'In GitHub: Settings, Webhooks, Add webhook. Payload URL and Secret are these, Content type is application/json.'
    case 'gitlab':
      return 'In GitLab: Settings, Webhooks, Add new webhook. The URL is this; the secret is the Signing token where there is that field, else the Secret token.'
    case 'alertmanager':
      return `In alertmanager.yml, at a receiver: webhook_configs: [{ url: '${url}' }]`
    case 'generic':
      return isSigned
        ? 'Whatever calls it signs as Standard Webhooks has it (standardwebhooks.com).'
        : `From a shell: curl --json '{"text": "The backup is done."}' '${url}'`
  }
}

/** Letters, digits and hyphens of the source and of the first recipient. */
function nameFor(source: string, [to = '']: string[]): string {
  return `${source}-${to.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-')}`.slice(0, 64).replace(/-+$/, '')
}

function lastCall({ last, revoked, createdAt }: Webhook, now: number): string {
  if (revoked) return 'revoked: claude-net webhook rotate gives it a new URL'
  if (!last) return `none since the hub was started; made ${ago(Date.parse(createdAt), now)}`
  return `${ago(Date.parse(last.at), now)}: ${last.event} ${last.result}${last.why ? ` (${last.why})` : ''}`
}
