/** The host of a Host header or URL: an IPv6 address in brackets, or a name or IPv4 address. `_` stands in names of containers. */
const hostPattern = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9._-]+))(?::[0-9]{1,5})?$/

/**
 * The host of `HOST` or `HOST:PORT` in its one form: lower case, without brackets, without the dot that ends an absolute name
 * (RFC 1034, 3.1). Undefined when it is malformed. What it accepts holds no character that is special inside quotes of a shell.
 */
export function hostNameOf(host: string | undefined): string | undefined {
  const [, address, name] = hostPattern.exec(host ?? '') ?? []
  return address ?? (name === undefined ? undefined : bareName(name))
}

/** A host name in the form that names are compared in. */
export function bareName(name: string): string {
  return name.toLowerCase().replace(/(?<=.)\.$/, '')
}

/** The address of a hub whose key is known, for a client that compares no key: the same host and port, in the clear. */
export function plainAddress(hub: URL): URL {
  return hub.protocol === 'http:' ? hub : new URL(`http://${hub.hostname}:${hub.port || 443}`)
}

/** The address of a hub whose key is known: the same host and port, by TLS. */
export function provenAddress(hub: URL): URL {
  return hub.protocol === 'https:' ? hub : new URL(`https://${hub.hostname}:${hub.port || 80}`)
}

/** Where the hub answers on the far side of ssh, as the host there sees it, unless something else is said. */
export const defaultHubBehindSsh = 'http://localhost:3500'

/** The address of the host as its containers see it (LXC's bridge), the first choice for a join line. */
const bridgeAddress = '10.0.3.1'

/** An address of this host as `node:os` lists it. */
interface OwnAddress {
  address: string
  family: string
  internal: boolean
}

/** The origins at which others may reach a hub that listens on `port` of each of these addresses, the likeliest first. */
export function likelyOrigins(own: readonly OwnAddress[], port: number | string): string[] {
  return own
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address)
    .sort((a, b) => Number(b === bridgeAddress) - Number(a === bridgeAddress))
    .map(address => `http://${address}:${port}`)
}

/** Whether an address leads every machine to itself. */
export function isLoopback({ hostname }: URL): boolean {
  return /^(127\.|0\.0\.0\.0$|\[::1?\]$)/.test(hostname) || bareName(hostname) === 'localhost'
}
