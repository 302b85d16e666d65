import { sandbox } from '../systemd/sandbox.ts'

/** Port of the hub on its host, and of the relay on this one, both on loopback. */
export const relayPort = 3500

/** The service, as systemd knows it. */
export const relayService = 'claude-net-relay'

/** Paths of the files, below the root. */
export const relayPaths = {
  unit: `/etc/systemd/system/${relayService}.service`,
  sysusers: '/etc/sysusers.d/claude-net-relay.conf',
  key: '/etc/claude-net-relay/id_ed25519',
  knownHosts: '/etc/claude-net-relay/known_hosts',
} as const

/** The system user that ssh runs as, and nothing else does. */
const relayUser = 'claude-net-relay'

/** The hub's host as ssh reaches it. Every part has been checked: they stand in a unit file. */
export interface RelayTarget {
  host: string
  user: string
  port: number
}

/** May stand before a key that is to forward to the hub. A command can be run with it still, which the join line needs. */
export const forwardingOnly = `restrict,port-forwarding,permitopen="localhost:${relayPort}"`

/** Makes the user, now and whenever it should be missing. */
export const relaySysusers = `# Claude Net: the user of claude-net-relay.service.\nu ${relayUser} - "Claude Net relay" / /usr/sbin/nologin\n`

/** The service: a loopback port that leads to the hub's, of an ssh that can do nothing else. Started again whenever it ends. */
export function relayUnit(ssh: string, { host, user, port }: RelayTarget): string {
  const options = [
    'BatchMode=yes',
    'StrictHostKeyChecking=yes',
    `UserKnownHostsFile=${relayPaths.knownHosts}`,
    'GlobalKnownHostsFile=/dev/null',
    'IdentitiesOnly=yes',
    'IdentityAgent=none',
    'ExitOnForwardFailure=yes',
    'GatewayPorts=no',
    'ControlMaster=no',
    'ControlPath=none',
    'ServerAliveInterval=5',
    'ServerAliveCountMax=2',
    'ConnectTimeout=10',
  ]
  return `# Written by claude-net install-relay, which writes it anew. Put changes of your own into: systemctl edit claude-net-relay
[Unit]
Description=Claude Net relay: localhost:${relayPort} leads to the hub on ${host}
Documentation=man:ssh(1)
Wants=network-online.target
After=network-online.target
# However often it failed, it is tried again.
StartLimitIntervalSec=0

[Service]
ExecStart=${ssh} -F /dev/null -N -T -i \${CREDENTIALS_DIRECTORY}/id_ed25519 ${options.map(option => `-o ${option}`).join(' ')} -p ${port} -l ${user} -L ${relayPort}:localhost:${relayPort} -- ${host}
User=${relayUser}
LoadCredential=id_ed25519:${relayPaths.key}
Restart=always
RestartSec=2

${sandbox}
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX
MemoryDenyWriteExecute=yes

[Install]
WantedBy=multi-user.target
`
}
