import { randomInt } from 'node:crypto'
import { AddressRanges } from '../../protocol/address-range.ts'
import { type ConsoleSession, linkLifeS, sessionLifeS } from '../../protocol/console.ts'
import { linkFragment } from '../../protocol/console-header.ts'
import { hashConsoleSecret, newConsoleSecret } from '../../protocol/console-secret.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { version } from '../../protocol/version.ts'
import { checkAddress, type Identity } from '../auth/identify.ts'
import type { ConsoleSettings } from '../config/door.ts'
import type { Hub } from '../hub.ts'
import { sessionToken } from '../state/apply/console.ts'
import {
  consoleSessionById,
  consoleSessions,
  openConsoleLink,
  type ConsoleSession as SessionRow,
  sessionsWithCookie,
  sessionUsedAt,
} from '../state/query/console.ts'
import { memberMeant } from '../state/query/find-member.ts'
import { machinesOf, ownerOf } from '../state/query/members.ts'
import { refused } from '../state/refusal-words.ts'
import { refuseUnknown } from '../state/refusals.ts'
import { timestamp } from '../state/timestamp.ts'
import { browserIn, cookieFor, cookiesOf } from './browser.ts'
import type { Handlers } from './handler.ts'
import type { Network } from './network.ts'

/** Most machines in the list of those that a person owns. */
const maxOwned = 1000

interface ConsoleParts {
  network: Network
  settings: () => ConsoleSettings
}

type ConsoleHandlers = Pick<
  Handlers,
  'consoleLink' | 'consoleLogin' | 'getConsole' | 'consoleLogout' | 'consoleSessions' | 'consoleRevoke'
>

/** Handlers that open, list and close sessions of the console. */
export function consoleSessionRoutes({ network, settings }: ConsoleParts): ConsoleHandlers {
  return {
    consoleLink: async ({ hub, identity, body, reply }) => {
      const { url, console } = settings()
      const whose = whoseLink(hub, identity, body.for, console)
      const secret = newConsoleSecret()
      const { expiresAt } = await hub.submit({
        type: 'console.link',
        member: whose.member,
        via: identity.tokenId,
        hash: hashConsoleSecret(secret).toString('base64'),
        lifeS: linkLifeS,
      })
      const path = `/${linkFragment}${secret}`
      reply.code(201)
      const { name, role } = whose
      return { secret, path, ...(url && { url: url + path }), expiresAt: timestamp(expiresAt), as: { name, role } }
    },

    consoleLogin: async ({ hub, body, request, reply }) => {
      const { db } = hub.state
      if (request.headers.origin === undefined) {
        throw new ClaudeNetError(
          'forbidden',
          'A login must come from a page of the hub.',
          'Open the link in a browser.',
        )
      }
      const linkHash = hashConsoleSecret(body.secret)
      const link = openConsoleLink(db, linkHash, hub.steadyNow)
      const boundTo = link?.boundTo && new AddressRanges(JSON.parse(link.boundTo) as string[])
      // Checked before the link is used up for a session that could not be used from here.
      if (boundTo) checkAddress({ name: link.name, boundTo }, request.clientAddress)
      const [cookie, tab, id] = [newConsoleSecret(), newConsoleSecret(), newSessionId()]
      const earlier = cookiesOf(request.raw, network).map(hashConsoleSecret)
      await hub.submit({
        type: 'console.open',
        linkHash: linkHash.toString('base64'),
        id,
        cookieHash: hashConsoleSecret(cookie).toString('base64'),
        tabHash: hashConsoleSecret(tab).toString('base64'),
        lifeS: sessionLifeS,
        address: request.clientAddress,
        browser: browserIn(request.headers['user-agent']),
        replaces: sessionsWithCookie(db, earlier),
      })
      const session = consoleSessionById(db, id)
      // Revoked at the same moment.
      if (!session) throw new ClaudeNetError('unauthorized', 'This session has ended.', 'Open another link.')
      const { member, name, role, expiresAt } = session
      // The audit records this identity.
      request.identity = { member, name, role, tokenId: sessionToken(id), session: id }
      reply.code(201)
      reply.header('set-cookie', cookieFor(request.raw, network, cookie, sessionLifeS))
      reply.header('cache-control', 'no-store')
      return { tab, session: id, name, role, expiresAt: timestamp(expiresAt) }
    },

    getConsole: ({ hub, identity }) => {
      const { db, position } = hub.state
      const { url, console } = settings()
      const { id, name, role, since, expiresAt } = current(hub, identity)
      return {
        ...{ id, name, role },
        owns: role === 'human' ? machinesOf(db, identity.member, maxOwned) : [],
        adminReads: console.adminReads,
        since: timestamp(since),
        expiresAt: timestamp(expiresAt),
        ...(url && { url }),
        version,
        seq: position.seq,
      }
    },

    consoleLogout: async ({ hub, identity, request, reply }) => {
      const { closed } = await hub.submit({ type: 'console.close', ids: [identity.session!] })
      reply.header('set-cookie', cookieFor(request.raw, network, '', 0))
      return { closed }
    },

    consoleSessions: ({ hub, identity }) => ({
      sessions: seenBy(hub, identity).map(session => shown(hub, session, identity)),
    }),

    consoleRevoke: ({ hub, identity, params }) => {
      const mine = seenBy(hub, identity)
      const ids = mine.map(({ id }) => id).filter(id => params.id === 'all' || id === params.id)
      if (params.id !== 'all' && ids.length === 0) {
        throw new ClaudeNetError(
          'not_found',
          `You have no session ${params.id}.`,
          'It may have ended; claude-net console sessions lists all open ones.',
        )
      }
      return hub.submit({ type: 'console.close', ids })
    },
  }
}

/** Returns the member as whom a link requested by `identity` opens the console. Throws `forbidden` or `not_found`. */
function whoseLink(
  hub: Hub,
  identity: Identity,
  named: string | undefined,
  { machinesSpeakForOwners }: ConsoleSettings['console'],
): Pick<Identity, 'member' | 'name' | 'role'> {
  const { db } = hub.state
  const meant = named === undefined ? undefined : memberMeant(db, named)
  if (identity.role === 'admin') {
    if (named === undefined) return identity
    if (!meant) throw refused(db, refuseUnknown(named).refusal)
    const { id: member, name, kind } = meant
    if (kind === 'service') {
      throw new ClaudeNetError('invalid', `${name} is a service and has no console.`, 'Name a person or a machine.')
    }
    return { member, name, role: kind }
  }
  if (meant?.id === identity.member) return identity
  const owner = identity.role === 'machine' ? ownerOf(db, identity.member) : undefined
  const isOwner = named === undefined || (meant !== undefined && meant.id === owner?.id)
  if (owner && isOwner && machinesSpeakForOwners) return { member: owner.id, name: owner.name, role: 'human' }
  if (named === undefined) return identity
  throw new ClaudeNetError(
    'forbidden',
    `${identity.name} may open the console as itself, not as ${named}.`,
    'A person opens it with /console in a private chat with the bot, or with claude-net console --as NAME on the host of the hub. ' +
      'A machine opens it as its owner where hub.json says "console": {"machinesSpeakForOwners": true}.',
  )
}

/** Returns the sessions that a member may see and end. */
function seenBy({ state }: Hub, { role, member }: Identity): SessionRow[] {
  return consoleSessions(state.db, role === 'admin' ? undefined : member)
}

function current({ state }: Hub, { session }: Identity): SessionRow {
  const row = consoleSessionById(state.db, session!)
  if (row) return row
  throw new ClaudeNetError('unauthorized', 'This session has ended.', 'Open the console with a new link.')
}

function shown(hub: Hub, row: SessionRow, { session }: Identity): ConsoleSession {
  const { id, name, role, since, expiresAt, address, browser } = row
  const usedAt = hub.tokenUses.of(sessionToken(id)) ?? sessionUsedAt(hub.state.db, sessionToken(id)) ?? since
  return {
    ...{ id, name, role, address, browser },
    since: timestamp(since),
    lastUsedAt: timestamp(usedAt),
    expiresAt: timestamp(expiresAt),
    current: id === session,
  }
}

/** Returns an id of 8 characters, 41 random bits. It is public, and not reused while its session is open. */
function newSessionId(): string {
  const letters = '0123456789abcdefghijklmnopqrstuvwxyz'
  return Array.from({ length: 8 }, () => letters[randomInt(letters.length)]).join('')
}
