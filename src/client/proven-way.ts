import { noSshHost } from '../protocol/ssh-host.ts'
import type { Config } from './home.ts'

/** Returns the evidence by which a machine recognizes its hub; undefined if it requires none. */
export function provenBy({
  config,
  hub,
}: {
  config: Pick<Config, 'hubKey' | 'sshHost'>
  hub: URL
}): string | undefined {
  if (config.hubKey !== undefined) return `the key ${config.hubKey}`
  // The certificate is that of a proxy in front of the hub; Node verifies it.
  return hub.protocol === 'https:' && config.sshHost === noSshHost
    ? 'a certificate that this machine trusts'
    : undefined
}
