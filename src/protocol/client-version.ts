import { isOlder } from './version.ts'

/** What may stand in a list that others read: the name of a program and its version, without a space or a sign. */
const tokenPattern = /^[A-Za-z0-9][A-Za-z0-9._+-]{0,39}(?:\/[A-Za-z0-9][A-Za-z0-9._+-]{0,23})?$/

/** What a session calls its client, as others may see it; `unknown` for what is no name of a program. */
export function clientToken(client: string): string {
  return tokenPattern.test(client) ? client : 'unknown'
}

/** The version of a session's client, `1.2.3` of `claude-net/1.2.3`; undefined for programs of others. */
function clientVersion(client: string): string | undefined {
  return /^claude-net\/(\d{1,5}\.\d{1,5}\.\d{1,5})(?:[-+.][0-9A-Za-z.+-]{1,20})?$/.exec(client)?.[1]
}

/** Whether a session's client is an older one of ours than `hub`, a version. */
export function isBehind(client: string, hub: string): boolean {
  const version = clientVersion(client)
  return version !== undefined && isOlder(version, hub)
}

/** Of the clients of sessions those that are ours and older than `hub`, each version once: `claude-net/1.2.3`. */
export function behind(clients: readonly string[], hub: string): string[] {
  const old = clients.filter(client => isBehind(client, hub)).map(client => `claude-net/${clientVersion(client)}`)
  return [...new Set(old)].sort()
}
