import { text } from 'node:stream/consumers'
import { Command } from 'commander'
import type { HubClient } from '../client/hub-client.ts'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { DeadLetter, OutgoingWebhook } from '../protocol/outgoing.ts'
import { ago, count } from '../text/spans.ts'
import { visibleLine } from '../text/visible.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print, table } from './output.ts'
import { UsageError } from './usage-error.ts'

type OutOptions = AdminOptions & { on?: string[]; name?: string; body?: string; withText?: true }
type DeadOptions = AdminOptions & { retry?: string; drop?: true }

/** A test waits for a receiver, which has 10 s to answer. */
export const testTimeoutMs = 30_000

const collect = (value: string, before: string[] = []) => [...before, value]

export function outCommand(): Command {
  const command = new Command('out')
    .description('Post selected events, signed, to a URL: Slack, a pager, your own program')
    .argument('<url>', 'URL to post to, or - to read it from standard input, so that no other user sees it')
    .option(
      '--on <filter>',
      'Events to post: "to NAME[/PROJECT]", "from NAME", "intent urgent", held, expired, refused, any; combined with "and"; may be repeated',
      collect,
    )
    .option('--name <name>', 'Name of the webhook (default: made from the host)')
    .option('--body <template>', 'JSON to post instead of the event, with {{line}}, {{slack:line}}, {{from}}, …')
    .option('--with-text', 'Also post the texts of messages')
  return withAdminOptions(command).action((given: string, options: OutOptions) =>
    asAdmin(options, async client => {
      const { on, name, body, withText } = options
      if (!on) throw new UsageError('--on says what to post.', `For example: --on 'to seanclaude and intent urgent'`)
      const url = given === '-' ? (await text(process.stdin)).trim() : given
      const answer = await client.call(api.addOutgoing, { body: { url, on, name, body, text: withText } })
      print(options, answer, () =>
        [
          `${answer.name} posts what happens from now on.`,
          `Secret  ${answer.signingSecret}`,
          '',
          'The secret signs every post, and is shown this once. docs/webhooks.md says how a receiver verifies it.',
          `claude-net webhook test ${answer.name} posts a test event.`,
        ].join('\n'),
      )
    }),
  )
}

export function deadCommand(): Command {
  const command = new Command('dead')
    .description('List the dead letters of a webhook, newest first, or retry or delete them')
    .argument('<name>', 'Name of the webhook')
    .option('--retry <id>', 'Retry the dead letter with this id, or all')
    .option('--drop', 'Delete all of them')
  return withAdminOptions(command).action((name: string, options: DeadOptions) =>
    asAdmin(options, async client => {
      const { retry, drop } = options
      if (retry !== undefined && drop) throw new UsageError('--retry and --drop exclude each other.', 'Choose one.')
      const params = { name }
      if (retry !== undefined) {
        const answer =
          retry === 'all'
            ? await client.call(api.retryAllDead, { params })
            : await client.call(api.retryDead, { params: { name, id: retry } })
        print(options, answer, () => `${count(answer.retried, 'event')} of ${name} will be tried again.`)
      } else if (drop) {
        const answer = await client.call(api.dropDead, { params })
        print(options, answer, () => `${count(answer.dropped, 'dead letter')} of ${name} forgotten.`)
      } else {
        const answer = await client.call(api.listDead, { params })
        print(options, answer, () => deadInWords(name, answer, client.now()))
      }
    }),
  )
}

function deadInWords(name: string, { dead, more }: { dead: DeadLetter[]; more: number }, now: number): string {
  if (dead.length === 0) return `${name} has given up nothing.`
  return [
    table([['ID', 'GIVEN UP', 'TRIES', 'WHY', 'EVENT'], ...dead.map(each => deadCells(each, now))]),
    ...(more > 0 ? [`${more} older ones are there besides.`] : []),
    '',
    `claude-net webhook dead ${name} --retry ID|all tries them again.`,
  ].join('\n')
}

function deadCells({ id, deadAt, attempts, why, line }: DeadLetter, now: number): string[] {
  return [id, ago(Date.parse(deadAt), now), String(attempts), why, line ?? 'its message is not kept any more'].map(
    cell => visibleLine(cell, 120),
  )
}

/** The webhooks of a hub that post events; none where it has no such thing. */
export async function outgoingOf(client: HubClient): Promise<OutgoingWebhook[]> {
  try {
    return (await client.call(api.listOutgoing)).webhooks
  } catch (error) {
    if (error instanceof ClaudeNetError && error.code === 'not_found') return []
    throw error
  }
}

/** Whether `name` is one that posts events. */
export async function isOutgoing(client: HubClient, name: string): Promise<boolean> {
  return (await outgoingOf(client)).some(webhook => webhook.name === name)
}

/** Those that post events, as a table. */
export function outgoingTable(webhooks: readonly OutgoingWebhook[], now: number): string {
  return table([['NAME', 'POSTS', 'TO', 'LAST POST'], ...webhooks.map(each => outgoingCells(each, now))])
}

function outgoingCells({ name, on, to, ...webhook }: OutgoingWebhook, now: number): string[] {
  return [name, on.join('; '), to, fares(webhook, now)].map(cell => visibleLine(cell, 200))
}

function fares(
  { lastDeliveredAt, trouble, waiting, dead, createdAt, delivered }: Omit<OutgoingWebhook, 'name' | 'on' | 'to'>,
  now: number,
): string {
  const last =
    lastDeliveredAt === null
      ? `none; made ${ago(Date.parse(createdAt), now)}`
      : `${ago(Date.parse(lastDeliveredAt), now)}, ${delivered} in all`
  return [
    last,
    ...(trouble === null ? [] : [trouble]),
    ...(waiting > 0 ? [`${waiting} tried again`] : []),
    ...(dead > 0 ? [count(dead, 'dead letter')] : []),
  ].join('; ')
}

export async function testOutgoing(client: HubClient, name: string, options: AdminOptions): Promise<void> {
  const answer = await client.call(api.testOutgoing, { params: { name } })
  print(options, answer, () =>
    answer.delivered
      ? `The receiver of ${name} took a test event in ${answer.ms} ms (${answer.status}).`
      : `The receiver of ${name} did not take a test event: ${answer.why}.`,
  )
  if (!answer.delivered) process.exitCode = 1
}

export async function rotateOutgoing(client: HubClient, name: string, options: AdminOptions): Promise<void> {
  const answer = await client.call(api.rotateOutgoing, { params: { name } })
  print(options, answer, () =>
    [
      `${name} signs by another secret. For 24 hours its posts carry a signature by the old one too.`,
      `Secret  ${answer.signingSecret}`,
      '',
      'It is shown this once.',
    ].join('\n'),
  )
}

export async function deleteOutgoing(client: HubClient, name: string, options: AdminOptions): Promise<void> {
  const answer = await client.call(api.deleteOutgoing, { params: { name } })
  const lost = answer.undelivered > 0 ? `, with ${count(answer.undelivered, 'event')} that it had not delivered` : ''
  print(options, answer, () => `${name} posts nothing any more${lost}.`)
}
