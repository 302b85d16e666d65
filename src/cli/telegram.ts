import { Command, InvalidArgumentError } from 'commander'
import type { HubClient } from '../client/hub-client.ts'
import { api } from '../protocol/api.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { TelegramPerson, TelegramStatus } from '../protocol/telegram.ts'
import { ago } from '../text/spans.ts'
import { visibleLine } from '../text/visible.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { agreed } from './agree.ts'
import { report } from './diagnose.ts'
import { exit, print, table } from './output.ts'
import { carrierInWords } from './status.ts'

type ConfirmOptions = AdminOptions & { user?: number; yes?: boolean }

export function telegramCommand(): Command {
  const command = new Command('telegram').description(
    'Show the state of the Telegram bridge, and confirm who its users are',
  )
  withAdminOptions(
    command.command('status', { isDefault: true }).description('Show the state of the bridge, and its people'),
  )
    // Refuses a word that is not a subcommand.
    .allowExcessArguments(false)
    .action((options: AdminOptions) =>
      asAdmin(options, async client => {
        const status = await client.call(api.telegramStatus)
        print(options, status, () => inWords(status, client.now()))
      }),
    )
  withAdminOptions(
    command.command('check').description('Check token, group, rights and privacy mode with Telegram'),
  ).action((options: AdminOptions) =>
    asAdmin(options, async client => {
      const { checks } = await client.call(api.telegramCheck)
      print(options, { checks }, () => report(checks))
      if (checks.some(({ state }) => state === 'failed')) process.exitCode = exit.refused
    }),
  )
  withAdminOptions(
    command
      .command('confirm')
      .description('Confirm that the user seen under the configured user name is this human')
      .argument('<human>', 'The human, as named in hub.json')
      .option('--user <id>', 'Numeric Telegram user id that the user must have', toUserId)
      .option('--yes', 'Do not ask for confirmation'),
  ).action((human: string, options: ConfirmOptions) => asAdmin(options, client => confirm(client, human, options)))
  withAdminOptions(
    command.command('forget').description('Undo a confirmation').argument('<human>', 'The human, as named in hub.json'),
  ).action((human: string, options: AdminOptions) =>
    asAdmin(options, async client => {
      const answer = await client.call(api.telegramConfirm, { params: { name: human }, body: { userId: null } })
      print(options, answer, () => `Nobody on Telegram is ${human} now, until somebody is confirmed.`)
    }),
  )
  command.addHelpText('after', '\nAll commands take --data, --hub, --hub-key, --token-file and --json.')
  return command
}

async function confirm(client: HubClient, human: string, options: ConfirmOptions): Promise<void> {
  const { people } = await client.call(api.telegramStatus)
  const person = people.find(({ name }) => name === human)
  const candidate = person?.candidate
  if (person && !candidate) throw nobodySeen(person)
  // The hub refuses an unknown name.
  const userId = options.user ?? candidate?.userId ?? 1
  if (candidate && options.user === undefined && !options.yes) {
    const who = `${visibleLine(candidate.name, 100)}, user ${candidate.userId}, seen ${ago(Date.parse(candidate.seenAt), client.now())}`
    const question = `${who}.\nIs this ${human}?`
    if (!process.stdin.isTTY || !(await agreed(question, { usually: 'no', output: process.stderr }))) {
      throw new ClaudeNetError('invalid', `Not confirmed: ${who}.`, `If it is ${human}, add --user ${candidate.userId}`)
    }
  }
  const answer = await client.call(api.telegramConfirm, { params: { name: human }, body: { userId } })
  print(options, answer, () => `Telegram user ${answer.userId} is ${answer.name}.`)
}

function nobodySeen({ name, username, userId, by }: TelegramPerson): ClaudeNetError {
  if (by !== 'nobody')
    return new ClaudeNetError(
      'conflict',
      `${name} is Telegram user ${userId} already.`,
      `claude-net telegram forget ${name} takes that back.`,
    )
  return new ClaudeNetError(
    'not_found',
    `Nobody was seen in the group as @${username}.`,
    `${name} writes /whoami there; then try again.`,
  )
}

function inWords(
  { configured, bot, chatId, lastPollAt, trouble, people, failed, carriedBy }: TelegramStatus,
  now: number,
): string {
  if (!configured) return 'This hub has no Telegram. docs/telegram.md says how to set it up.'
  const asked = lastPollAt === null ? 'has not answered yet' : `answered ${ago(Date.parse(lastPollAt), now)}`
  const rows = people.map(({ name, username, userId, by, candidate, isPrivate, waiting }) => {
    const seen = candidate
      ? `${visibleLine(candidate.name, 60)}, user ${candidate.userId}: confirm ${name}?`
      : 'nobody yet'
    return [
      name,
      username ? `@${username}` : '-',
      by === 'nobody' ? seen : `user ${userId} (${by})`,
      isPrivate ? 'private' : 'group',
      String(waiting),
    ]
  })
  return [
    carriedBy === undefined
      ? `Bot ${bot === null ? 'not known yet' : `@${bot}`}, group ${chatId}; Telegram ${asked}.`
      : `Group ${chatId}; ${carrierInWords(carriedBy)}.`,
    ...(trouble === null ? [] : [`Trouble: ${visibleLine(trouble, 1000)}`]),
    '',
    table([['NAME', 'USERNAME', 'IS', 'MESSAGES TO', 'WAITING'], ...rows]),
    ...failed.map(({ seq, name, why }) => `Telegram refuses #${seq} for ${name}: ${visibleLine(why, 200)}`),
  ].join('\n')
}

function toUserId(text: string): number {
  const id = Number(text)
  if (/^[1-9]\d{0,15}$/.test(text) && Number.isSafeInteger(id)) return id
  throw new InvalidArgumentError('A user id of Telegram is a number.')
}
