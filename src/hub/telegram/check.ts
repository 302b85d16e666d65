import type { TelegramCheck } from '../../protocol/telegram.ts'
import type { Bot } from './bot.ts'
import { failureOf } from './failure.ts'
import type { People } from './people.ts'

/** Asks Telegram about each link in turn: token, webhook, privacy mode, group, rights, people. After one that fails, those that need it are left out. */
export async function checkTelegram(bot: Bot, people: People): Promise<TelegramCheck[]> {
  const checks: TelegramCheck[] = []
  const ok = (link: string, found: string) => checks.push({ link, state: 'ok', found })
  const warn = (link: string, found: string, mend: string) => checks.push({ link, state: 'warning', found, mend })
  const fail = (link: string, found: string, mend: string) => checks.push({ link, state: 'failed', found, mend })

  const me = await bot.me().catch(error => failureOf(error, 'getMe'))
  if (me instanceof Error) {
    const isToken = me.kind === 'unauthorized'
    fail(
      isToken ? 'token' : 'telegram',
      me.message,
      isToken
        ? 'Ask @BotFather for the token (/mybots, API Token) and put it into the token file. The hub notices the new one.'
        : 'Let this host reach https://api.telegram.org, port 443. Mail waits until it does.',
    )
    return checks
  }
  ok('token', `it is @${me.username}'s`)

  const webhook = await bot.webhook().catch(error => failureOf(error, 'getWebhookInfo'))
  if (webhook instanceof Error) fail('webhook', webhook.message, 'Try again.')
  else if (webhook.url) {
    fail(
      'webhook',
      'a webhook is set, so that the hub hears nothing',
      'Take a new token from @BotFather (/revoke): that ends it.',
    )
  } else ok('webhook', 'none is set; the hub asks for updates itself')

  if (me.can_read_all_group_messages) {
    warn(
      'privacy',
      'privacy mode is off: the hub is sent everything that is written in the group',
      '@BotFather: /setprivacy, Enable. Then take the bot out of the group and add it again.',
    )
  } else ok('privacy', 'on: the hub hears commands, mentions and replies to the bot')

  const { group } = people
  const chat = await bot.chat(group).catch(error => failureOf(error, 'getChat'))
  if (chat instanceof Error) {
    const moved = chat.kind === 'moved' ? `Set telegram.chatId to ${chat.movedTo} in hub.json.` : undefined
    fail(
      'group',
      chat.message,
      moved ?? `Add @${me.username} to the group, and set telegram.chatId in hub.json to its id (it is ${group} now).`,
    )
  } else {
    ok('group', `${group}, '${chat.title ?? ''}'`)
    await checkRights(bot, group, me.id, { ok, warn, fail })
  }
  checkPeople(people, { ok, warn })
  return checks
}

type Say = (link: string, found: string, mend: string) => unknown

async function checkRights(
  bot: Bot,
  group: number,
  self: number,
  { ok, warn, fail }: { ok: (link: string, found: string) => unknown; warn: Say; fail: Say },
): Promise<void> {
  const member = await bot.memberOf(group, self).catch(error => failureOf(error, 'getChatMember'))
  if (member instanceof Error) return void warn('rights', member.message, 'Try again.')
  const mayWrite =
    member.status === 'member' ||
    member.status === 'administrator' ||
    (member.status === 'restricted' && member.can_send_messages)
  if (mayWrite) ok('rights', `the bot is ${member.status} and may write`)
  else
    fail(
      'rights',
      `the bot is ${member.status} and may not write`,
      'Add it to the group again, with the right to send messages.',
    )
}

function checkPeople(people: People, { ok, warn }: { ok: (link: string, found: string) => unknown; warn: Say }): void {
  for (const person of people.all) {
    const user = people.userOf(person)
    if (user !== undefined) ok(person.name, `Telegram user ${user}`)
    else {
      warn(
        person.name,
        `nobody is confirmed as @${person.settings.username}; they are written to, and not listened to`,
        `They write /whoami in the group; then run: claude-net telegram confirm ${person.name}`,
      )
    }
  }
}
