import { isOlder } from './version.ts'

/** The name of a program and its version, without spaces or special characters: safe in a list that others read. */
const tokenPattern = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,39}(?:\/[A-Za-z0-9][A-Za-z0-9._+-]{0,23})?$/

/** Returns a session's name for its client as others may see it: `unknown` if it is not the name of a program. */
export function clientToken(client: string): string {
  return tokenPattern.test(client) ? client : 'unknown'
}

/** Returns the version of a session's client, `1.2.3` of `claude-net/1.2.3`; undefined for third-party clients. */
function clientVersion(client: string): string | undefined {
  return /^claude-net\/(\d{1,5}\.\d{1,5}\.\d{1,5})(?:[-+.][0-9A-Za-z.+-]{1,20})?$/.exec(client)?.[1]
}

/** Reports whether a session's client is a Claude Net client older than `hub`, a version. */
export function isBehind(client: string, hub: string): boolean {
  const version = clientVersion(client)
  return version !== undefined && isOlder(version, hub)
}

/** Returns the Claude Net clients older than `hub`, each version once: `claude-net/1.2.3`. */
export function behind(clients: readonly string[], hub: string): string[] {
  const old = clients.filter(client => isBehind(client, hub)).map(client => `claude-net/${clientVersion(client)}`)
  return [...new Set(old)].sort()
}
