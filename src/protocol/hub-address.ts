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
