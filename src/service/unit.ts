import { isIP } from 'node:net'
import { sandbox } from '../systemd/sandbox.ts'
import { paths, serviceUser, socketName } from './layout.ts'

/** The first line of every unit that this program has written. */
export const unitMark = '# The hub of Claude Net, written by claude-net install-service.'

/**
 * The service. It is confined by everything in systemd.exec(5), except MemoryDenyWriteExecute, which kills
 * Node's compiler, and IPAddressDeny: the hub filters addresses by its own `trustedNetworks`.
 */
export const unit = `${unitMark} An upgrade writes it anew:
# put changes of your own into: systemctl edit claude-net
[Unit]
Description=Claude Net hub, inboxes of Claude Code machines and people
Wants=network-online.target ${socketName}
After=network-online.target ${socketName}
# However often it failed, it is tried again.
StartLimitIntervalSec=0

[Service]
Type=notify
# systemd-notify, a process of its own, speaks for the hub.
NotifyAccess=all
# The flag bounds the memory for young objects: it saves some 30 MB after load, and costs no time.
ExecStart=${paths.program}/current/node --max-semi-space-size=2 ${paths.program}/current/claude-net.mjs hub --config ${paths.hubJson} --data ${paths.data}
# Reads hub.json again: systemctl reload claude-net
ExecReload=/bin/kill -HUP $MAINPID
User=${serviceUser}
Group=${serviceUser}
WorkingDirectory=${paths.data}
StateDirectory=claude-net
StateDirectoryMode=0700
# A secret that only root can read in ${paths.settings}, and the hub in $CREDENTIALS_DIRECTORY. Without the file it reads 'none'.
LoadCredential=telegram-token:${paths.settings}/telegram.token
SetCredential=telegram-token:none
Environment=NODE_ENV=production
# What V8 made of the program when it was last read: a start takes a fifth less.
CacheDirectory=claude-net
CacheDirectoryMode=0700
Environment=NODE_COMPILE_CACHE=%C/claude-net
Restart=always
RestartSec=100ms
# Fed by the hub after each durable write of its own, every 10 s.
WatchdogSec=30
# Migrations of a large store take their time.
TimeoutStartSec=15min
TimeoutStopSec=30
LimitNOFILE=65536

${sandbox}
PrivateMounts=yes
# AF_NETLINK: Node lists the addresses of the host through it.
RestrictAddressFamilies=AF_INET AF_INET6 AF_UNIX AF_NETLINK
# A process of the hub may lower its priority.
SystemCallFilter=setpriority

[Install]
WantedBy=multi-user.target
`

/** The first line of every socket unit that this program has written. */
export const socketMark = '# The port of the hub of Claude Net, written by claude-net install-service.'

/**
 * The port of the service, which systemd holds from early in the boot on: nobody else can take it, and whoever connects while the hub is
 * away waits for it. Undefined where systemd could not hold it: for a port that the system chooses, and for a name.
 */
export function socketUnit({ host, port }: { host: string; port: number }): string | undefined {
  const hosts = host === 'localhost' ? ['127.0.0.1', '::1'] : [host.replace(/^\[|\]$/g, '')]
  if (port === 0 || hosts.some(each => isIP(each) === 0)) return undefined
  const streams = hosts.map(each => `ListenStream=${isIP(each) === 6 ? `[${each}]` : each}:${port}\n`)
  return `${socketMark} It is written anew, from
# ${paths.hubJson}, when install-service is run again. The hub listens here, whatever hub.json says.
[Unit]
Description=Claude Net hub, its port
StartLimitIntervalSec=0

[Socket]
${streams.join('')}BindIPv6Only=${host === '::' ? 'both' : 'default'}
# An address may come up later.
FreeBind=yes
Backlog=4096
# However often a hub that does not start is started for it, the port stays held.
TriggerLimitIntervalSec=0

[Install]
WantedBy=sockets.target
`
}

/** Makes the system user, at once and (by systemd-sysusers at boot) whenever it should be missing. */
export const sysusers = `# Claude Net: the system user of its hub.
u ${serviceUser} - "Claude Net hub" ${paths.data} /usr/sbin/nologin
`
