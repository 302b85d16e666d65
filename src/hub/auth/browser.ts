import { AddressRanges } from '../../protocol/address-range.ts'
import { ConsoleSecret } from '../../protocol/console.ts'
import { hashConsoleSecret } from '../../protocol/console-secret.ts'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { sameHash } from '../../protocol/token.ts'
import type { Hub } from '../hub.ts'
import { sessionToken } from '../state/apply/console.ts'
import { sessionOfTab } from '../state/query/console.ts'
import type { Identity } from './identify.ts'

/** Most cached sessions: more than usually exist. */
const maxKept = 10_000

interface Known {
  identity: Identity
  cookieHash: Uint8Array
}

/**
 * Identifies the user of a browser by the cookie and the secret of the tab together: browsers send a cookie to every port of a host, and a
 * script could read what a page stores. Sessions are cached until any session or token becomes invalid.
 */
export class BrowserIdentities {
  readonly #hub: Hub
  /** Sessions by the secret of their tab. */
  readonly #known = new Map<string, Known>()

  constructor(hub: Hub) {
    this.#hub = hub
    hub.onRevoked(() => this.#known.clear())
    hub.onTokensChanged(() => this.#known.clear())
  }

  /**
   * Returns the identity of a session. `cookies` are all with its cookie's name: another port of the host may have set some. Throws
   * `unauthorized` without saying which part was wrong.
   */
  of(cookies: readonly string[], tab: string | undefined): Identity {
    if (tab === undefined)
      throw unauthorized('This request carries no claude-net-tab header, and a cookie alone proves nothing.')
    if (cookies.length === 0)
      throw unauthorized('This request carries no cookie of a session, and claude-net-tab alone proves nothing.')
    const known = this.#known.get(tab) ?? this.#find(tab)
    const matches = cookies.some(cookie => known && sameHash(hashConsoleSecret(cookie), known.cookieHash))
    if (!known || !matches || known.identity.limit! <= this.#hub.steadyNow)
      throw unauthorized('This session of the console is not, or no longer, valid here.')
    this.#hub.tokenUses.saw(known.identity.tokenId)
    return known.identity
  }

  #find(tab: string): Known | undefined {
    if (!ConsoleSecret.safeParse(tab).success) return undefined
    const session = sessionOfTab(this.#hub.state.db, hashConsoleSecret(tab))
    if (!session) return undefined
    const { id, member, name, role, limit, boundTo, cookieHash } = session
    const bounds = boundTo === null ? {} : { boundTo: new AddressRanges(JSON.parse(boundTo) as string[]) }
    const found = {
      identity: { member, name, role, tokenId: sessionToken(id), session: id, limit, ...bounds },
      cookieHash,
    }
    if (this.#known.size >= maxKept) this.#known.clear()
    this.#known.set(tab, found)
    return found
  }
}

function unauthorized(message: string): ClaudeNetError {
  return new ClaudeNetError(
    'unauthorized',
    message,
    'Open the console with a new link: claude-net console, or /console in a private chat with the bot.',
  )
}
