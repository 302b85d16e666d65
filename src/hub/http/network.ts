import type { IncomingHttpHeaders } from 'node:http'
import { isIP } from 'node:net'
import { ClaudeNetError } from '../../protocol/errors.ts'

/**
 * Refuses what a browser sends and what was meant for another name, before anything else is looked at. A page that got its
 * own name to point here (DNS rebinding) shows itself by the Host header; `hosts` are the names that are ours.
 */
export function checkHeaders(headers: IncomingHttpHeaders, hosts: readonly string[]): void {
  if (headers.origin !== undefined) {
    throw new ClaudeNetError('forbidden', 'Requests from web pages are refused.', 'Use claude-net or curl.')
  }
  if (!isOurs(hostName(headers.host), hosts)) {
    throw new ClaudeNetError(
      'forbidden',
      'This hub does not answer to the name in the Host header.',
      "Use its IP address, or add the name to 'hosts' in hub.json.",
    )
  }
}

/** The host of a Host header without its port: `10.0.3.1`, `localhost`, `::1`. Undefined when it is malformed. */
function hostName(host: string | undefined): string | undefined {
  const match = /^(?:\[([0-9A-Fa-f:.]+)\]|([A-Za-z0-9.-]+))(?::[0-9]{1,5})?$/.exec(host ?? '')
  return match?.[1] ?? match?.[2]?.toLowerCase()
}

function isOurs(name: string | undefined, hosts: readonly string[]): boolean {
  return name !== undefined && (name === 'localhost' || isIP(name) !== 0 || hosts.includes(name))
}
