import { noSshHost } from '../protocol/ssh-host.ts'
import type { Config } from './home.ts'

/** How a machine knows that what answers is its hub; undefined where it takes whoever does. */
export function provenBy({
  config,
  hub,
}: {
  config: Pick<Config, 'hubKey' | 'sshHost'>
  hub: URL
}): string | undefined {
  if (config.hubKey !== undefined) return `the key ${config.hubKey}`
  // Of a proxy in front of the hub: Node verifies it.
  return hub.protocol === 'https:' && config.sshHost === noSshHost
    ? 'a certificate that this machine trusts'
    : undefined
}
