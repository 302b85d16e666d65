import { defaultHubBehindSsh, hostNameOf, isLoopback } from '../../protocol/hub-address.ts'
import { invitationLine } from '../../protocol/join-line.ts'
import { sshHostPattern } from '../../protocol/ssh-host-pattern.ts'

/** Known addresses of the hub for a new machine. */
export interface KnownAddresses {
  /** Port and addresses from `GET /v1/admin/addresses`. */
  port: number | null
  addresses: readonly { origin: string; isTrusted: boolean }[]
  /** The `url` of hub.json. */
  url: string | undefined
  /** The origin of this page. */
  here: string
}

/** An address to choose, with a description, and a warning if it may not work. */
export interface JoinAddress {
  origin: string
  about: string
  warning?: string
}

/**
 * Returns the addresses to choose from, the likeliest first: the one that `claude-net invite` would use, then `url` of hub.json, then that
 * of this page. For a hub that listens on its own host only, that is the address for machines on that host.
 */
export function joinAddresses({ port, addresses, url, here }: KnownAddresses): JoinAddress[] {
  const own = addresses.map(({ origin, isTrusted }) => ({
    origin,
    about: 'address of the hub’s host',
    ...(!isTrusted && {
      warning: 'Machines that use it are refused: the address is outside trustedNetworks in hub.json.',
    }),
  }))
  const alone = {
    origin: `http://127.0.0.1:${port}`,
    about: 'only on the hub’s host',
    warning:
      'The hub accepts connections only from its own host. Another machine needs host in hub.json, the address of a proxy, or ssh.',
  }
  const found: JoinAddress[] = [
    ...own.filter(({ warning }) => warning === undefined),
    ...(url === undefined ? [] : [{ origin: new URL(url).origin, about: 'url in hub.json' }]),
    ...(isLoopback(new URL(here)) ? [] : [{ origin: here, about: 'address of this page' }]),
    ...own.filter(({ warning }) => warning !== undefined),
    ...(own.length === 0 && port !== null ? [alone] : []),
  ]
  return found.filter(({ origin }, at) => found.findIndex(other => other.origin === origin) === at)
}

/** The choices in the form. */
export interface JoinChoice {
  /** One of `joinAddresses`, or as typed: `http://10.0.3.1:3500`. Empty with `via`: the default address there. */
  address: string
  /** The ssh host of the new machine; empty for none. */
  via: string
  plain: boolean
}

/** The line to run on the new machine; or the field with an error, and the error. */
export type JoinLine = { command: string; pins: boolean } | { wrong: 'address' | 'via'; why: string }

/** Returns the line for an invitation, the same that `claude-net invite` prints with these choices. */
export function joinLineOf(
  invitation: { code: string; hubKey?: string | undefined },
  { address, via, plain }: JoinChoice,
  port: number | null,
): JoinLine {
  if (via !== '' && (!sshHostPattern.test(via) || via === 'local'))
    return { wrong: 'via', why: 'Enter HOST or USER@HOST, with letters, digits, dots, _ and -.' }
  const url = addressOf(address === '' && via !== '' ? defaultHubBehindSsh : address)
  if (!url) return { wrong: 'address', why: 'Enter an address such as http://10.0.3.1:3500.' }
  if (via !== '' && url.protocol === 'https:')
    return { wrong: 'address', why: 'Enter http://HOST:PORT: ssh already encrypts the connection.' }
  const way = { address: url, hubPort: String(port ?? ''), via: via === '' ? undefined : via, plain }
  const { command, hubKey } = invitationLine(invitation, way)
  return { command, pins: hubKey !== undefined }
}

/** Returns an origin that is safe in shell text; undefined for anything else. */
function addressOf(typed: string): URL | undefined {
  if (!URL.canParse(typed.trim())) return undefined
  const url = new URL(typed.trim())
  const isOrigin = url.href === `${url.origin}/` && hostNameOf(url.host) !== undefined
  return isOrigin && /^https?:$/.test(url.protocol) ? url : undefined
}
