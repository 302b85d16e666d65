import type { TelegramCheck } from '../../protocol/telegram.ts'
import type { Bot } from './bot.ts'
import { failureOf } from './failure.ts'
import type { People } from './people.ts'

/** Time that all checks may take together, in ms: less than the 10 s that the admin's command waits for the hub. */
const checkMs = 6_000

/**
 * Checks in turn token, webhook, privacy mode, group, rights and people with Telegram. After a failure, skips the checks that depend on it.
 * `trouble` returns the problem of a member's private chat that sending has met, if any.
 */
export async function checkTelegram(
  bot: Bot,
  people: People,
  trouble: (member: number) => string | undefined,
): Promise<TelegramCheck[]> {
  const stop = AbortSignal.timeout(checkMs)
  const checks: TelegramCheck[] = []
  const ok = (link: string, found: string) => checks.push({ link, state: 'ok', found })
  const warn = (link: string, found: string, mend: string) => checks.push({ link, state: 'warning', found, mend })
  const fail = (link: string, found: string, mend: string) => checks.push({ link, state: 'failed', found, mend })

  const me = await bot.me(stop).catch(error => failureOf(error, 'getMe'))
  if (me instanceof Error) {
    const isToken = me.kind === 'unauthorized'
    fail(
      isToken ? 'token' : 'telegram',
      me.message,
      isToken
        ? 'Ask @BotFather for the token (/mybots, API Token) and put it into the token file. The hub notices the new one.'
        : 'The hub runs, but gets no response from Telegram: let its host reach https://api.telegram.org, port 443. Messages wait until then.',
    )
    return checks
  }
  ok('token', `it is @${me.username}'s`)

  const webhook = await bot.webhook(stop).catch(error => failureOf(error, 'getWebhookInfo'))
  if (webhook instanceof Error) fail('webhook', webhook.message, 'Try again.')
  else if (webhook.url) {
    fail(
      'webhook',
      'a webhook is set, so the hub receives no updates',
      'Take a new token from @BotFather (/revoke): that ends it.',
    )
  } else ok('webhook', 'none is set; the hub asks for updates itself')

  if (me.can_read_all_group_messages) {
    warn(
      'privacy',
      'privacy mode is off: the hub receives everything that is written in the group',
      '@BotFather: /setprivacy, Enable. Then take the bot out of the group and add it again.',
    )
  } else ok('privacy', 'on: the hub receives commands, mentions and replies to the bot')

  const { group } = people
  const chat = await bot.chat(group, stop).catch(error => failureOf(error, 'getChat'))
  if (chat instanceof Error) {
    const moved = chat.kind === 'moved' ? `Set telegram.chatId to ${chat.movedTo} in hub.json.` : undefined
    fail(
      'group',
      chat.message,
      moved ?? `Add @${me.username} to the group, and set telegram.chatId in hub.json to its id (it is ${group} now).`,
    )
  } else {
    ok('group', `${group}, '${chat.title ?? ''}'`)
    await checkRights(bot, group, me.id, { ok, warn, fail, stop })
  }
  await checkPeople(bot, people, { ok, warn, fail, stop, trouble })
  return checks
}

type Say = (link: string, found: string, mend: string) => unknown

interface Saying {
  ok: (link: string, found: string) => unknown
  warn: Say
  fail: Say
  stop: AbortSignal
}

async function checkRights(bot: Bot, group: number, self: number, { ok, warn, fail, stop }: Saying): Promise<void> {
  const member = await bot.memberOf(group, self, stop).catch(error => failureOf(error, 'getChatMember'))
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

/** Checks for each person whether a Telegram user is confirmed, and whether the bot may write to their private chat, if they use it. */
async function checkPeople(
  bot: Bot,
  people: People,
  { ok, warn, fail, stop, trouble }: Saying & { trouble: (member: number) => string | undefined },
): Promise<void> {
  for (const person of people.all) {
    const { name, member } = person
    const user = people.userOf(person)
    if (user === undefined) {
      warn(
        name,
        `nobody is confirmed as @${person.settings.username}; the hub writes to them, but ignores what they write`,
        `They write /whoami in the group; then run: claude-net telegram confirm ${name}`,
      )
    } else if (!people.isPrivate(person)) ok(name, `Telegram user ${user}, messages to the group`)
    else {
      const why = (await whyNotPrivate(bot, user, stop)) ?? trouble(member)
      if (why === undefined) ok(name, `Telegram user ${user}, messages to a private chat`)
      else {
        const mend = `${name} opens a chat with the bot and presses Start, or writes /here in the group. Their messages wait.`
        fail(name, `Telegram user ${user} cannot be written to in private: ${why}`, mend)
      }
    }
  }
}

/** Returns why Telegram does not let the bot write to a user in private; undefined when it does, or does not say. */
async function whyNotPrivate(bot: Bot, user: number, stop: AbortSignal): Promise<string | undefined> {
  for (const [ask, method] of [
    [() => bot.chat(user, stop), 'getChat'],
    [() => bot.typing(user, stop), 'sendChatAction'],
  ] as const) {
    const failure = await ask().then(
      () => undefined,
      error => failureOf(error, method),
    )
    if (failure?.kind === 'closed' || failure?.kind === 'unreachable') return failure.message
  }
  return undefined
}
