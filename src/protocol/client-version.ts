import { isOlder } from './version.ts'

/** The version in what a session calls its client, `claude-net/1.2.3`; undefined for programs of others. */
function clientVersion(client: string): string | undefined {
  return /^claude-net\/(\d+\.\d+\.\d+[0-9A-Za-z.-]*)$/.exec(client)?.[1]
}

/** Whether a session's client is an older one of ours than `hub`, a version. */
export function isBehind(client: string, hub: string): boolean {
  const version = clientVersion(client)
  return version !== undefined && isOlder(version, hub)
}
