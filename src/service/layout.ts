import { join } from 'node:path'

/** The unit, as systemd knows it. */
export const unitName = 'claude-net.service'

/** The system user that the hub runs as, and its group. */
export const serviceUser = 'claude-net'

/** Where things are on a system that runs the service. */
export const paths = {
  /** One folder per version, `current` and `previous` (links to two of them), owned by root. */
  program: '/opt/claude-net',
  /** The store: the service's own, 0700. */
  data: '/var/lib/claude-net',
  /** What the admin decides: hub.json, and secrets that systemd hands to the service. */
  settings: '/etc/claude-net',
  hubJson: '/etc/claude-net/hub.json',
  unit: `/etc/systemd/system/${unitName}`,
  sysusers: '/etc/sysusers.d/claude-net.conf',
  /** What people type. */
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

  /** Where a path of that system is on this one. */
  at(path: string): string {
    return join(this.dir, path)
  }
}
