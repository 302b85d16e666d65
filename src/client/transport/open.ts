import { noSshHost } from '../../protocol/ssh-host.ts'
import type { ConnectionsOptions, KeyHooks } from './connections.ts'
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
  /** Which hub may answer there, if that is known; it then speaks TLS, inside ssh too. */
  pin?: ConnectionsOptions['pin']
  /** What to do when another key answers; without `onNewKey` that is another hub, whatever the pinned key says. */
  hooks?: KeyHooks
}

/** The transport that a configuration asks for. */
export function openTransport({ hub, sshHost, runDir, sshIdleS, pin, hooks }: WayToHub): Transport {
  if (sshHost === noSshHost) return new DirectTransport(hub, pin, hooks)
  return new SshTransport({ host: sshHost, hub, dir: runDir, idleS: sshIdleS }, pin, hooks)
}
