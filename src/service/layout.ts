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
