import { lstatSync, readlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ClaudeNetError } from '../protocol/errors.ts'

/** The unit, as systemd knows it. */
export const unitName = 'claude-net.service'

/** The unit that holds the hub's port, also while the hub is away. */
export const socketName = 'claude-net.socket'

/** The system user that the hub runs as, and its group. */
export const serviceUser = 'claude-net'

/** Paths on a system that runs the service. */
export const paths = {
  /** One folder per version, `current` and `previous` (links to two of them), owned by root. */
  program: '/opt/claude-net',
  /** The store: the service's own, 0700. */
  data: '/var/lib/claude-net',
  /** Files of the admin: hub.json, and secrets that systemd hands to the service. */
  settings: '/etc/claude-net',
  hubJson: '/etc/claude-net/hub.json',
  unit: `/etc/systemd/system/${unitName}`,
  socketUnit: `/etc/systemd/system/${socketName}`,
  sysusers: '/etc/sysusers.d/claude-net.conf',
  /** The command that people type. */
  command: '/usr/local/bin/claude-net',
} as const

/** The command of a machine that has joined, in the home directory of its user (client/home.ts). */
export const launcherInHome = '/.claude-net/bin/claude-net'

/** Every directory in which systemd would find a unit of ours or of somebody else (systemd.unit(5)), the strongest first. */
export const unitDirectories = [
  '/etc/systemd/system',
  '/run/systemd/system',
  '/usr/local/lib/systemd/system',
  '/usr/lib/systemd/system',
  '/lib/systemd/system',
]

/** A system to install into: this one, or the tree below `dir`. */
export class Root {
  readonly dir: string

  constructor(dir = '/') {
    this.dir = dir
  }

  /** Whether this is the running system, so that services can be started and stopped. */
  get isLive(): boolean {
    return this.dir === '/'
  }

  /**
   * Returns where a path of that system is on this one. Links in the tree lead where they would on that system, so an absolute one, or one
   * with more `..` than there are directories, stays below `dir`. Throws `invalid` for links in a circle.
   */
  at(path: string): string {
    return this.isLive ? path : join(this.dir, this.#resolve(path))
  }

  /** The same for a name that may be a link itself, which is not followed. */
  nameAt(path: string): string {
    return this.isLive ? path : join(this.dir, this.#resolve(dirname(path)), basename(path))
  }

  /** The path without links, as that system would say it. */
  #resolve(path: string): string {
    const left = path.split('/')
    let [resolved, links] = ['/', 0]
    while (left.length > 0) {
      const name = left.shift()!
      // Of the root, the parent is the root.
      const next = join(resolved, name)
      if (!isLink(join(this.dir, next))) resolved = next
      else {
        if (++links > maxLinks) throw circle(join(this.dir, path))
        const target = readlinkSync(join(this.dir, next))
        if (target.startsWith('/')) resolved = '/'
        left.unshift(...target.split('/'))
      }
    }
    return resolved
  }
}

/** Most links on the way to one file, as Linux has it. */
const maxLinks = 40

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
}

function circle(path: string): ClaudeNetError {
  return new ClaudeNetError('invalid', `The links on the way to ${path} lead in a circle.`, 'Mend them in that tree.')
}
