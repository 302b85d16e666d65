import { dirname, join, resolve } from 'node:path'
import * as z from 'zod'
import { MemberName } from '../../protocol/names.ts'

const UserName = z
  .string()
  .regex(/^@?[A-Za-z][A-Za-z0-9_]{3,31}$/, 'a Telegram user name has 4 to 32 characters A-Z a-z 0-9 _')
  .transform(name => name.replace(/^@/, ''))

const ClockTime = z.string().regex(/^([01][0-9]|2[0-3]):[0-5][0-9]$/, 'write a time as 22:00')

const Zone = z.string().refine(isZone, 'this is not a time zone; write one as Europe/London')

/** Telegram settings of one human, keyed by the member's name. */
const Human = z
  .strictObject({
    /** Telegram's numeric user id. Without it the user name is pinned to one, once, with an admin's confirmation. */
    id: z.number().int().positive().optional(),
    username: UserName.optional(),
    /** Whether messages go to a private chat with the bot until the person chooses otherwise (/here). */
    private: z.boolean().default(false),
    /** Start and end of the time in which only urgent messages go out, in `timezone`. */
    quiet: z.tuple([ClockTime, ClockTime]).optional(),
    /** An IANA name; default is the hub's own. */
    timezone: Zone.optional(),
  })
  .refine(({ id, username }) => id !== undefined || username !== undefined, 'it needs an id or a username')

const Humans = z
  .record(MemberName, Human)
  .transform(humans => new Map(Object.entries(humans)))
  .refine(humans => humans.size > 0, 'it names nobody')

/** Intervals and time limits of the bridge. The defaults follow Telegram's limits; tests shorten them. */
const Timing = z
  .strictObject({
    /** Time Telegram may hold a request for updates open, in seconds. */
    pollS: z.number().int().min(0).max(50).default(30),
    /** Time limit of any other request, and of a poll beyond `pollS`, in ms. */
    requestMs: z.number().int().min(100).default(15_000),
    /** Telegram accepts 20 messages a minute in a group (core.telegram.org/bots/faq): 18 messages and 2 answers in such a window. */
    windowMs: z.number().int().min(100).default(60_000),
    /** The first wait after a failure, in ms; it doubles up to a hundred times that. */
    retryMs: z.number().int().min(10).default(3_000),
    /** Interval between checks of owned machines for unread messages, in ms. */
    lookMs: z.number().int().min(10).default(10_000),
    /** Time after the hub's start in which no session counts as ended, in ms: sessions reconnect within 5 s. */
    graceMs: z.number().int().min(0).default(20_000),
    /** Time a permission prompt waits for its user before the machine's owner is notified, in ms. */
    promptMs: z.number().int().min(0).default(120_000),
    /** Downtime above which the hub announces its return, in ms. */
    downMs: z.number().int().min(0).default(120_000),
  })
  .prefault({})

/** The field `telegram` of hub.json. */
export const TelegramSettings = z.strictObject({
  /** A file with the bot's token, relative to hub.json. Default: the systemd credential `telegram-token`. */
  tokenFile: z.string().min(1).optional(),
  /** The group, as BotFather's bot sees it: negative. */
  chatId: z.number().int().max(-1, 'a group has a negative id'),
  humans: Humans,
  /** Time after which an owner is notified of messages that a machine without a session leaves unread, in seconds; null for never. */
  followAfterS: z.number().int().min(0).nullable().default(600),
  apiRoot: z
    .url()
    .transform(url => url.replace(/\/$/, ''))
    .default('https://api.telegram.org'),
  timing: Timing,
})

export type TelegramSettings = z.output<typeof TelegramSettings>
export type HumanSettings = z.output<typeof Human>

/** Returns the path of the bot's token: the named file, relative to hub.json, or systemd's credential; undefined when there is neither. */
export function tokenFileOf({ tokenFile }: TelegramSettings, configFile: string | undefined): string | undefined {
  if (tokenFile !== undefined) return resolve(configFile === undefined ? '.' : dirname(configFile), tokenFile)
  const credentials = process.env.CREDENTIALS_DIRECTORY
  return credentials === undefined ? undefined : join(credentials, 'telegram-token')
}

function isZone(name: string): boolean {
  try {
    new Intl.DateTimeFormat('en', { timeZone: name })
    return true
  } catch {
    return false
  }
}
