import { visibleLine } from '../../text/visible.ts'

/** The links on the way to the hub, in order, one of which has failed. */
export const sshLinks = ['ssh', 'host', 'key', 'forward', 'hub'] as const

/** The reason why the connection through ssh is not open: a clause for a sentence, and a hint. */
export interface SshFailure {
  link: (typeof sshLinks)[number]
  why: string
  hint: string
  /** The line of ssh's output that shows it, made safe to print, or ''. */
  said: string
}

interface Place {
  host: string
  /** The hub's address, as seen from `host`. */
  hub: URL
}

type Words = (host: string) => string

/** OpenSSH's messages when it cannot log in; the first match counts. Its texts are in sshconnect.c, sshconnect2.c and packet.c. */
const failures: [RegExp, SshFailure['link'], Words, Words][] = [
  [
    /^.*(Bad configuration option|terminating, \d+ bad|Bad owner or permissions on|^command-line).*$/m,
    'ssh',
    () => "ssh's configuration on this machine is broken",
    host => `Correct it until this works: ssh ${host} true`,
  ],
  [
    /^.*Could not resolve hostname.*$/m,
    'host',
    host => `the name ${host} cannot be resolved`,
    () => 'Check sshHost in config.json, its entry in ~/.ssh/config, and the network.',
  ],
  [
    /^.*connect to (?:host|address) .*: Connection refused.*$/m,
    'host',
    host => `${host} does not answer: no ssh server listens there`,
    host => `Is sshd running on ${host}, on that port? Try: ssh ${host} true`,
  ],
  [
    /^.*(timed out|No route to host|Network is unreachable|Host is down).*$/im,
    'host',
    host => `${host} does not answer`,
    host => `Is it up, and may this machine reach it? Try: ssh ${host} true`,
  ],
  [
    /^.*Host key for .* has changed.*$/m,
    'key',
    host => `${host} shows another host key than before`,
    host => `If its admin confirms the change, remove the old key (ssh-keygen -R) and run: ssh ${host} true`,
  ],
  [
    /^.*(host key is known for|Host key verification failed|No matching host key).*$/m,
    'key',
    host => `the host key of ${host} is not known here`,
    host => `Run this once and compare the fingerprint before you agree: ssh ${host} true`,
  ],
  [
    /^.*Permission denied \([^)]*(?:password|keyboard-interactive)[^)]*\).*$/m,
    'key',
    host => `ssh asks for a password: ${host} accepts no key of this machine`,
    host => `Set up a key: ssh-copy-id ${host}. One with a passphrase must be in ssh-agent.`,
  ],
  [
    /^.*(Permission denied|Too many authentication failures).*$/m,
    'key',
    host => `${host} accepts no key of this machine`,
    host => `Put its public key into authorized_keys on ${host}. A key with a passphrase must be in ssh-agent.`,
  ],
  [
    /^.*(kex_exchange_identification|Connection (closed|reset) by|Connection to .* (closed|reset)|Broken pipe).*$/m,
    'host',
    host => `${host} closed the connection before it let this machine in`,
    host => `Try: ssh ${host} true. Its sshd may be busy, or refuse this machine's address.`,
  ],
]

/** Returns the reason why `ssh` exited instead of connecting, from its output. */
export function whyNotConnected(log: string, status: number | string, { host }: Place): SshFailure {
  for (const [pattern, link, why, hint] of failures) {
    const line = pattern.exec(log)?.[0]
    if (line !== undefined) return { link, why: why(host), hint: hint(host), said: cleaned(line) }
  }
  const said = cleaned(log.trim().split('\n').at(-1) ?? '')
  return { link: 'host', why: `ssh to ${host} ended with ${status}`, hint: `Try: ssh ${host} true`, said }
}

/** Returns the reason why the remote host opened no connection to the hub, from ssh's output; undefined if it shows none. */
export function whyNotForwarded(log: string, { host, hub }: Place): SshFailure | undefined {
  const line = log.match(/^.*open failed: .*$/gm)?.at(-1)
  if (line === undefined) return undefined
  const said = cleaned(line)
  const port = hub.port || 80
  if (line.includes('connect failed')) {
    const where = hub.hostname === 'localhost' ? `on its port ${port}` : `at ${hub.host}`
    const why = `${host} is reached, but nothing answers ${where}`
    return { link: 'hub', why, hint: `Is the hub running, or on ${host} the relay, claude-net-relay.service?`, said }
  }
  return {
    link: 'forward',
    why: `${host} lets this machine in, but not on to ${hub.host}`,
    hint: `sshd there must allow it: AllowTcpForwarding, and permitopen="${hub.hostname}:${port}" if the key is restricted.`,
    said,
  }
}

/** Returns the failure as the end of a sentence. */
export function inWords({ why, said }: SshFailure): string {
  return said === '' ? why : `${why} (ssh says: ${said})`
}

function cleaned(line: string): string {
  return visibleLine(line.replace(/[\r\n]+/g, ' ').trim(), 200)
}
