/** The host of a Host header or URL: an IPv6 address in brackets, or a name or IPv4 address. `_` occurs in names of containers. */
const hostPattern = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?$/

/**
 * Returns the host of `HOST` or `HOST:PORT` in canonical form: lower case, without brackets, without the dot that ends an absolute
 * name (RFC 1034, 3.1). Undefined if it is malformed. The result contains no character that is special inside shell quotes.
 */
export function hostNameOf(host: string | undefined): string | undefined {
  const [, address, name] = hostPattern.exec(host ?? '') ?? []
  return address ?? (name === undefined ? undefined : bareName(name))
}

/** Returns a host name in the form in which names are compared. */
export function bareName(name: string): string {
  return name.toLowerCase().replace(/(?<=.)\.$/, '')
}

/** Returns the address of a hub whose key is known, for a client that compares no key: the same host and port by plain HTTP. */
export function plainAddress(hub: URL): URL {
  return hub.protocol === 'http:' ? hub : new URL(`http://${hub.hostname}:${hub.port || 443}`)
}

/** Returns the address of a hub whose key is known: the same host and port by TLS. */
export function provenAddress(hub: URL): URL {
  return hub.protocol === 'https:' ? hub : new URL(`https://${hub.hostname}:${hub.port || 80}`)
}

/** Default address of the hub on the remote side of ssh, as the host there reaches it. */
export const defaultHubBehindSsh = 'http://localhost:3500'

/** The address of the host as its containers see it (LXC's bridge), preferred in a join line. */
const bridgeAddress = '10.0.3.1'

/** An address of this host as `node:os` lists it. */
interface OwnAddress {
  address: string
  family: string
  internal: boolean
}

/** Returns the origins at which others may reach a hub that listens on `port` of each of these addresses, likeliest first. */
export function likelyOrigins(own: readonly OwnAddress[], port: number | string): string[] {
  return own
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address)
    .sort((a, b) => Number(b === bridgeAddress) - Number(a === bridgeAddress))
    .map(address => `http://${address}:${port}`)
}

/** Reports whether an address is loopback: it leads every machine to itself. */
export function isLoopback({ hostname }: URL): boolean {
  return /^(127\.|0\.0\.0\.0$|\[::1?\]$)/.test(hostname) || bareName(hostname) === 'localhost'
}
