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
}

export function settingsCommand(): Command {
  const command = new Command('settings')
    .description('show what the hub keeps and for how long, or change it')
    .option(
      '--keep-text <days>',
      'delete texts that everybody has read, or that expired, after this many days',
      whole(1, 3650, 'Days are'),
    )
    .option('--inbox-messages <n>', 'most unread messages in one inbox', whole(100, 1_000_000, 'Messages are'))
    .option('--inbox-mib <n>', 'most MiB of unread texts in one inbox', whole(1, 16_384, 'MiB are'))
    .option('--sender-percent <n>', 'the part of an inbox that one sender may fill', whole(11, 100, 'Percent are'))
    .option(
      '--reserve-percent <n>',
      'the last part of an inbox, kept for others and for what is urgent',
      whole(0, 50, 'Percent are'),
    )
  return withAdminOptions(command).action((options: Options) =>
    asAdmin(options, async client => {
      const { keepText: keepTextDays, inboxMessages, inboxMib, senderPercent, reservePercent } = options
      const inboxBytes = inboxMib === undefined ? undefined : inboxMib * 1024 * 1024
      const change = { keepTextDays, inboxMessages, inboxBytes, senderPercent, reservePercent }
      const isChange = Object.values(change).some(value => value !== undefined)
      const settings = isChange
        ? await client.call(api.putSettings, { body: change })
        : await client.call(api.getSettings)
      print(options, settings, () => inWords(settings))
    }),
  )
}

function inWords({ keepTextDays, inboxMessages, inboxBytes, senderPercent, reservePercent }: Settings): string {
  return [
    `Texts are deleted ${count(keepTextDays, 'day')} after everybody has read them, or they expired. Unread mail stays.`,
    `An inbox takes ${count(inboxMessages, 'unread message')} and ${bytesInWords(inboxBytes)} of texts; one sender may fill ${senderPercent} % of it,`,
    `and the last ${reservePercent} % are kept for senders who have little there and for what is urgent.`,
  ].join('\n')
}

function whole(least: number, most: number, subject: string) {
  return (text: string) => {
    const value = Number(text)
    if (Number.isInteger(value) && value >= least && value <= most) return value
    throw new InvalidArgumentError(`${subject} a whole number from ${least} to ${most}.`)
  }
}
