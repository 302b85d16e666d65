import { readdirSync, readFileSync, readlinkSync, statSync } from 'node:fs'

/** A process that listens on a TCP port. */
export interface Listener {
  pid: number
  /** Its command line, for people. */
  command: string
  /** The program file; '' where it cannot be read. */
  program: string
  /** The system service that it belongs to, or undefined. */
  unit: string | undefined
  /** The number of its user, where it can be seen. */
  uid?: number
  /** Whether it is systemd, which holds the port for a service. */
  isSystemd: boolean
}

/** The state of a listening socket in /proc/net/tcp (TCP_LISTEN of include/net/tcp_states.h). */
const listening = '0A'

/**
 * Returns the process that listens on `port`, on any address; undefined when none does. Reads /proc only, without connecting. Without the
 * right to look at the process, its pid is 0.
 */
export function listenerOn(port: number): Listener | undefined {
  const inodes = ['/proc/net/tcp', '/proc/net/tcp6'].flatMap(table => listeningInodes(table, port))
  if (inodes.length === 0) return undefined
  const sockets = new Set(inodes.map(inode => `socket:[${inode}]`))
  const pid = readdirSync('/proc').find(entry => /^\d+$/.test(entry) && hasOpen(entry, sockets))
  if (pid === undefined)
    return {
      pid: 0,
      command: 'a process that cannot be seen from here',
      program: '',
      unit: undefined,
      isSystemd: false,
    }
  const command = readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0').filter(Boolean).join(' ')
  const program = linkOf(`/proc/${pid}/exe`)
  const { uid } = statSync(`/proc/${pid}`)
  return {
    pid: Number(pid),
    command,
    program,
    unit: unitOf(pid),
    uid,
    isSystemd: pid === '1' && /\/systemd$/.test(program),
  }
}

function listeningInodes(table: string, port: number): string[] {
  let text: string
  try {
    text = readFileSync(table, 'utf8')
  } catch {
    return []
  }
  // Columns: slot, local address:port in hex, remote, state, queues, timer, retransmits, uid, timeout, inode.
  return text
    .split('\n')
    .slice(1)
    .map(line => line.trim().split(/\s+/))
    .filter(([, local, , state]) => state === listening && Number.parseInt(local!.split(':')[1]!, 16) === port)
    .map(columns => columns[9]!)
}

function hasOpen(pid: string, sockets: ReadonlySet<string>): boolean {
  try {
    return readdirSync(`/proc/${pid}/fd`).some(fd => sockets.has(linkOf(`/proc/${pid}/fd/${fd}`)))
  } catch {
    return false
  }
}

function linkOf(path: string): string {
  try {
    return readlinkSync(path)
  } catch {
    return ''
  }
}

/** From the process's control group, such as `0::/system.slice/other.service`. */
function unitOf(pid: string): string | undefined {
  try {
    return /\/system\.slice\/(?:[^/\n]+\.slice\/)*([^/\n]+\.service)/.exec(
      readFileSync(`/proc/${pid}/cgroup`, 'utf8'),
    )?.[1]
  } catch {
    return undefined
  }
}
