import { noSshHost } from '../../protocol/ssh-host.ts'
import { DirectTransport } from './direct.ts'
import { SshTransport } from './ssh.ts'
import type { Transport } from './transport.ts'

/** Where the hub is, and how to get there. */
export interface WayToHub {
  /** The hub's address, as seen from `sshHost` where there is one. */
  hub: URL
  /** `local`, or where ssh is to go. */
  sshHost: string
  /** `run/` of the home. */
  runDir: string
  /** How long the shared ssh stays when nobody uses it, in s. */
  sshIdleS?: number
}

/** The transport that a configuration asks for. */
export function openTransport({ hub, sshHost, runDir, sshIdleS }: WayToHub): Transport {
  if (sshHost === noSshHost) return new DirectTransport(hub)
  return new SshTransport({ host: sshHost, hub, dir: runDir, idleS: sshIdleS })
}
