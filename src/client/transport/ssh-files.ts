import { createHash } from 'node:crypto'
import { join } from 'node:path'
import { ClaudeNetError } from '../../protocol/errors.ts'

/** Longest path of a unix socket, in bytes: `sun_path` has 104 on macOS and the BSDs (108 on Linux), with the terminating zero. */
const maxSocketPath = 103

/** Default time after which the idle connection is closed, in s. */
const defaultIdleS = 120

export interface SshOptions {
  host: string
  /** The hub's address as seen from `host`. */
  hub: URL
  /** The directory of the sockets: `run/` of the home. */
  dir: string
  idleS?: number
}

/** A hub behind ssh, and the files of the machine's shared connection to it. */
export interface SshFiles {
  /** Name of the host for ssh: `ovh5`. */
  host: string
  /** The hub's address as seen from `host`. */
  hub: URL
  /** Time after which the idle connection is closed, in s. */
  idleS: number
  /** `run/`. */
  dir: string
  /** Prefix of the files' names, different for each host and hub. */
  id: string
  /** The socket that is forwarded to the hub while the connection is open. A stale file may be left behind. */
  socket: string
  /** The control socket of the ssh that holds the connection. The connection stays open while a client is connected here. */
  control: string
  /** The output of ssh since it was started. */
  log: string
  /** The reason why the last attempt failed. */
  failure: string
  /** The process id of the ssh that was started last. */
  pid: string
  /** The lock of the process that starts ssh. */
  lock: string
}

/** Returns the files of a connection. Throws `invalid` if `dir` is too long for a socket. */
export function sshFiles({ host, hub, dir, idleS = defaultIdleS }: SshOptions): SshFiles {
  const id = createHash('sha256').update(`${host} ${hub.host}`).digest('hex').slice(0, 8)
  const file = (kind: string) => join(dir, `${id}.${kind}`)
  const socket = file('sock')
  if (Buffer.byteLength(socket) > maxSocketPath) {
    throw new ClaudeNetError(
      'invalid',
      `The path ${dir} is too long for a socket.`,
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
