import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { ClaudeNetError } from '../../protocol/errors.ts'

/** Longest path of a unix socket, in bytes: `sun_path` has 104 on macOS and the BSDs (108 on Linux), with the closing zero. */
const maxSocketPath = 103

/** How long the connection stays without anybody who uses it, in s. */
const defaultIdleS = 120

export interface SshOptions {
  host: string
  /** The hub's address as seen from `host`. */
  hub: URL
  /** Where the sockets are: `run/` of the home. */
  dir: string
  idleS?: number
}

/** A way to a hub through ssh, and the files of the one connection of this machine that it takes. */
export interface SshFiles {
  /** As ssh knows it: `ovh5`. */
  host: string
  /** The hub's address as seen from `host`. */
  hub: URL
  /** How long the connection stays when nobody uses it, in s. */
  idleS: number
  /** `run/`. */
  dir: string
  /** Begins the names of all the files: another way, after joining another hub, has others. */
  id: string
  /** Leads to the hub while the connection is open. A file that nobody listens on may be left behind. */
  socket: string
  /** Where the ssh that holds the connection takes orders. It stays as long as somebody is connected here. */
  control: string
  /** What ssh has said since it was started. */
  log: string
  /** Why the last try failed. */
  failure: string
  /** The process id of the ssh that was started last. */
  pid: string
  /** Held by whoever starts ssh. */
  lock: string
}

/** Throws `invalid` when `dir` is too long for a socket. */
export function sshFiles({ host, hub, dir, idleS = defaultIdleS }: SshOptions): SshFiles {
  const id = createHash('sha256').update(`${host} ${hub.host}`).digest('hex').slice(0, 8)
  const file = (kind: string) => join(dir, `${id}.${kind}`)
  const socket = file('sock')
  if (Buffer.byteLength(socket) > maxSocketPath) {
    throw new ClaudeNetError(
      'invalid',
      `${dir} is too long a path for a socket.`,
      `Set CLAUDE_NET_HOME to a directory of less than ${maxSocketPath - '/run/12345678.sock'.length} bytes.`,
    )
  }
  const [control, log, failure, pid, lock] = ['ctl', 'log', 'failed', 'pid', 'lock'].map(file) as [
    string,
    string,
    string,
    string,
    string,
  ]
  return { host, hub, idleS, dir, id, socket, control, log, failure, pid, lock }
}
