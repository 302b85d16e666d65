import * as z from 'zod'
import { Timestamp } from './messages.ts'
import { MemberName } from './names.ts'

/** How long a link is good, and a session, in seconds. */
export const linkLifeS = 600
export const sessionLifeS = 12 * 3600

/** A secret of the console: 256 random bits in base64url. */
export const ConsoleSecret = z.string().regex(/^[A-Za-z0-9_-]{43}$/, 'a secret of the console has 43 characters')

/** The public id of a session. */
export const ConsoleSessionId = z.string().regex(/^[0-9a-z]{8}$/, 'the id of a session has 8 characters')

const Role = z.enum(['admin', 'human', 'machine'])

/** `name` is `admin` for the admin. */
const who = { name: z.string(), role: Role }

export const ConsoleLinkRequest = z.strictObject({
  /** Whose console the link opens. The admin may name any member; a machine its owner, where hub.json allows that. */
  for: MemberName.optional(),
})

export const ConsoleLink = z.object({
  /** Good for one login. */
  secret: ConsoleSecret,
  /** `/#in=SECRET`, behind whatever address the hub has for the browser. */
  path: z.string(),
  /** The whole link, where `url` of hub.json says what that address is. */
  url: z.string().optional(),
  expiresAt: Timestamp,
  as: z.object(who),
})
export type ConsoleLink = z.infer<typeof ConsoleLink>

export const ConsoleLogin = z.strictObject({ secret: ConsoleSecret })

/** Besides this the answer sets the session's cookie. */
export const ConsoleLoggedIn = z.object({
  /** The secret of the tab, for `claude-net-tab`. It is told this once. */
  tab: ConsoleSecret,
  /** The session's public id. */
  session: ConsoleSessionId,
  ...who,
  expiresAt: Timestamp,
})

/** Who is at the browser. */
export const ConsoleAnswer = z.object({
  /** The session's public id. */
  id: ConsoleSessionId,
  ...who,
  /** The machines of a human, by name. */
  owns: z.array(z.string()),
  /** Whether the admin is shown texts; each look is audited. */
  adminReads: z.boolean(),
  since: Timestamp,
  expiresAt: Timestamp,
  /** The address of the console, where hub.json has one. */
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
  /** When it was last used, as far as the hub has noted. */
  lastUsedAt: Timestamp,
  /** Where the login came from. */
  address: z.string(),
  /** The browser of the login, as it says itself: `Firefox 141 on Android`. */
  browser: z.string(),
  expiresAt: Timestamp,
  /** Whether it is the one that asks. */
  current: z.boolean(),
})
export type ConsoleSession = z.infer<typeof ConsoleSession>

/** The newest first. */
export const ConsoleSessions = z.object({ sessions: z.array(ConsoleSession) })
