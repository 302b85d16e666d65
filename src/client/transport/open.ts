import { noSshHost } from '../../protocol/ssh-host.ts'
import { DirectTransport } from './direct.ts'
import { SshTransport } from './ssh.ts'
import type { Transport } from './transport.ts'

export interface WayToHub {
  /** The hub's address, as seen from `sshHost` where there is one. */
  hub: URL
  /** `local`, or where ssh is to go. */
  sshHost: string
  /** `run/` of the home. */
  runDir: string
  sshIdleS?: number
}

/** The transport that a configuration asks for. */
export function openTransport({ hub, sshHost, runDir, sshIdleS }: WayToHub): Transport {
  if (sshHost === noSshHost) return new DirectTransport(hub)
  return new SshTransport({ host: sshHost, hub, dir: runDir, idleS: sshIdleS })
}
