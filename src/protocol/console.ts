import * as z from 'zod'
import { Timestamp } from './messages.ts'
import { MemberName } from './names.ts'

/** Lifetime of a link and of a session, in seconds. */
export const linkLifeS = 600
export const sessionLifeS = 12 * 3600

/** A secret for the console: 256 random bits in base64url. */
export const ConsoleSecret = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'a secret of the console has 43 characters')

/** The public id of a session. */
export const ConsoleSessionId = z.string().regex(/^[0-9a-z]{8}$/, 'the id of a session has 8 characters')

const Role = z.enum(['admin', 'human', 'machine'])

/** `name` is `admin` for the admin. */
const who = { name: z.string(), role: Role }

export const ConsoleLinkRequest = z.strictObject({
  /** Member whose console the link opens. The admin may name any member; a machine its owner, if hub.json allows that. */
  for: MemberName.optional(),
})

export const ConsoleLink = z.object({
  /** Valid for one login. */
  secret: ConsoleSecret,
  /** `/#in=SECRET`, to be appended to the address at which the browser reaches the hub. */
  path: z.string(),
  /** The complete link, if `url` in hub.json gives that address. */
  url: z.string().optional(),
  expiresAt: Timestamp,
  as: z.object(who),
})
export type ConsoleLink = z.infer<typeof ConsoleLink>

export const ConsoleLogin = z.strictObject({ secret: ConsoleSecret })

/** The response also sets the session's cookie. */
export const ConsoleLoggedIn = z.object({
  /** The secret of the tab, for `claude-net-tab`. It is sent only once. */
  tab: ConsoleSecret,
  /** The session's public id. */
  session: ConsoleSessionId,
  ...who,
  expiresAt: Timestamp,
})

/** The member and the session of the browser. */
export const ConsoleAnswer = z.object({
  /** The session's public id. */
  id: ConsoleSessionId,
  ...who,
  /** The machines of a human, by name. */
  owns: z.array(z.string()),
  /** Whether the admin is shown texts; every read is audited. */
  adminReads: z.boolean(),
  since: Timestamp,
  expiresAt: Timestamp,
  /** The address of the console, if hub.json has one. */
  url: z.string().optional(),
  /** The hub's. */
  version: z.string(),
  /** The newest entry of the journal. */
  seq: z.number().int(),
})
export type ConsoleAnswer = z.infer<typeof ConsoleAnswer>

export const ConsoleSession = z.object({
  id: ConsoleSessionId,
  ...who,
  since: Timestamp,
  /** Time of its last use that the hub has recorded. */
  lastUsedAt: Timestamp,
  /** IP address of the login. */
  address: z.string(),
  /** The browser of the login, by its own claim: `Firefox 141 on Android`. */
  browser: z.string(),
  expiresAt: Timestamp,
  /** Whether it is the session of this request. */
  current: z.boolean(),
})
export type ConsoleSession = z.infer<typeof ConsoleSession>

/** Newest first. */
export const ConsoleSessions = z.object({ sessions: z.array(ConsoleSession) })
