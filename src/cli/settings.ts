import { Command, InvalidArgumentError } from 'commander'
import { api } from '../protocol/api.ts'
import type { Settings } from '../protocol/settings.ts'
import { bytesInWords } from '../text/bytes.ts'
import { count } from '../text/spans.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print } from './output.ts'

interface Options extends AdminOptions {
  keepText?: number
  inboxMessages?: number
  inboxMib?: number
  senderPercent?: number
  reservePercent?: number
  tokenDays?: number
}

export function settingsCommand(): Command {
  const command = new Command('settings')
    .description('Show or change what the hub keeps and for how long')
    .option(
      '--keep-text <days>',
      'Delete texts this many days after everyone has read them, or they have expired',
      whole(1, 3650, 'Days are'),
    )
    .option(
      '--inbox-messages <n>',
      'Maximum number of unread messages in one inbox',
      whole(100, 1_000_000, 'Messages are'),
    )
    .option('--inbox-mib <n>', 'Maximum size of the unread texts in one inbox, in MiB', whole(1, 16_384, 'MiB are'))
    .option('--sender-percent <n>', 'Share of an inbox that one sender may fill', whole(11, 100, 'Percent are'))
    .option(
      '--reserve-percent <n>',
      'Share of an inbox that is reserved for other senders and urgent messages',
      whole(0, 50, 'Percent are'),
    )
    .option(
      '--token-days <days>',
      "Lifetime of a member's token, which its machine renews after half of it; 0 for no limit",
      whole(0, 3650, 'Days are'),
    )
  return withAdminOptions(command).action((options: Options) =>
    asAdmin(options, async client => {
      const { keepText: keepTextDays, inboxMessages, inboxMib, senderPercent, reservePercent, tokenDays } = options
      const inboxBytes = inboxMib === undefined ? undefined : inboxMib * 1024 * 1024
      const change = { keepTextDays, inboxMessages, inboxBytes, senderPercent, reservePercent, tokenDays }
      const isChange = Object.values(change).some(value => value !== undefined)
      const settings = isChange
        ? await client.call(api.putSettings, { body: change })
        : await client.call(api.getSettings)
      print(options, settings, () => inWords(settings))
    }),
  )
}

function inWords(settings: Settings): string {
  const { keepTextDays, inboxMessages, inboxBytes, senderPercent, reservePercent, tokenDays } = settings
  return [
    `Texts are deleted ${count(keepTextDays, 'day')} after everybody has read them, or they expired. Unread messages stay.`,
    `An inbox takes ${count(inboxMessages, 'unread message')} and ${bytesInWords(inboxBytes)} of texts; one sender may fill ${senderPercent} % of it,`,
    `and the last ${reservePercent} % are kept for senders who have little there and for what is urgent.`,
    tokenDays === 0
      ? 'Tokens have no age at which they end.'
      : `A token ends after ${count(tokenDays, 'day')}; its machine renews it from half of that on, and the old one goes on for a day.`,
  ].join('\n')
}

function whole(least: number, most: number, subject: string) {
  return (text: string) => {
    const value = Number(text)
    if (Number.isInteger(value) && value >= least && value <= most) return value
    throw new InvalidArgumentError(`${subject} a whole number from ${least} to ${most}.`)
  }
}
