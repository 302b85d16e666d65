import { noSshHost } from '../../protocol/ssh-host.ts'
import type { ConnectionsOptions, KeyHooks } from './connections.ts'
import { DirectTransport } from './direct.ts'
import { SshTransport } from './ssh.ts'
import type { Transport } from './transport.ts'

/** The address of a hub, and how to reach it. */
export interface WayToHub {
  /** The hub's address, as seen from `sshHost` where there is one. */
  hub: URL
  /** `local`, or the destination of ssh. */
  sshHost: string
  /** `run/` of the home. */
  runDir: string
  /** Time after which the idle ssh connection is closed, in s. */
  sshIdleS?: number
  /** The key that the hub must prove, if it is known. The connection then uses TLS, inside ssh too. */
  pin?: ConnectionsOptions['pin']
  /** Handlers of another key. Without `onNewKey` it counts as another hub, even if the pinned key vouches for it. */
  hooks?: KeyHooks
}

/** Returns the transport for a configuration. */
export function openTransport({ hub, sshHost, runDir, sshIdleS, pin, hooks }: WayToHub): Transport {
  if (sshHost === noSshHost) return new DirectTransport(hub, pin, hooks)
  return new SshTransport({ host: sshHost, hub, dir: runDir, idleS: sshIdleS }, pin, hooks)
}
