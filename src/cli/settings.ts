import { Command, InvalidArgumentError } from 'commander'
import { api } from '../protocol/api.ts'
import { count } from '../text/spans.ts'
import { type AdminOptions, asAdmin, withAdminOptions } from './admin.ts'
import { print } from './output.ts'

export function settingsCommand(): Command {
  const command = new Command('settings')
    .description('show what the hub keeps and for how long, or change it')
    .option('--keep-text <days>', 'delete texts that everybody has read, or that expired, after this many days', toDays)
  return withAdminOptions(command).action((options: AdminOptions & { keepText?: number }) =>
    asAdmin(options, async client => {
      const { keepText: keepTextDays } = options
      const settings =
        keepTextDays === undefined
          ? await client.call(api.getSettings)
          : await client.call(api.putSettings, { body: { keepTextDays } })
      print(
        options,
        settings,
        () =>
          `Texts are deleted ${count(settings.keepTextDays, 'day')} after everybody has read them, or they expired. Unread mail stays.`,
      )
    }),
  )
}

function toDays(text: string): number {
  const days = Number(text)
  if (Number.isInteger(days) && days >= 1 && days <= 3650) return days
  throw new InvalidArgumentError('Days are a whole number from 1 to 3650.')
}
