import { existsSync, readFileSync } from 'node:fs'
import { userHome } from '../disk/user-home.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { SshHost } from '../protocol/ssh-host.ts'
import { runProgram } from '../systemd/step.ts'
import { visibleLine } from '../text/visible.ts'
import type { RelayTarget } from './relay-unit.ts'
import { UsageError } from './usage-error.ts'

/** Target of a name by the ssh configuration of the user who installs the relay, and its lines in known_hosts, or ''. */
interface Resolved {
  target: RelayTarget
  knownHosts: string
}

/** Resolves `name` by ssh itself. Throws for an invalid name, and for a host that is reached only through another. */
export async function resolveTarget(name: string): Promise<Resolved> {
  const checked = SshHost.safeParse(name)
  if (!checked.success) {
    throw new UsageError(
      `'${visibleLine(name, 100)}': ${checked.error.issues[0]!.message}.`,
      'It looks like hubhost, or relay@hub.example.com',
    )
  }
  const settings = await settingsOf(checked.data)
  const setting = (key: string) => settings.get(key) ?? ''
  if ((setting('proxyjump') || 'none') !== 'none' || (setting('proxycommand') || 'none') !== 'none') {
    throw new ClaudeNetError(
      'invalid',
      `ssh reaches ${name} by way of another host (ProxyJump or ProxyCommand), which the relay does not.`,
      'Name the host by an address that this machine reaches directly.',
    )
  }
  const target = { host: setting('hostname'), user: setting('user'), port: Number(setting('port')) }
  if (!/^[A-Za-z0-9][A-Za-z0-9.:_-]*$/.test(target.host) || !/^[A-Za-z_][A-Za-z0-9._-]*$/.test(target.user)) {
    throw new ClaudeNetError(
      'invalid',
      `ssh leads ${name} to ${visibleLine(`${target.user}@${target.host}`, 200)}.`,
      'Name a plain host.',
    )
  }
  const alias = setting('hostkeyalias')
  const known = alias || hostPattern(target)
  const files = setting('userknownhostsfile').split(' ')
  const found = await Promise.all(files.map(path => entriesFor(known, path.replace(/^~(?=\/)/, userHome() ?? '~'))))
  const entries = found.join('')
  // The relay looks up the host itself, not its alias.
  return { target, knownHosts: alias ? entries.replaceAll(alias, hostPattern(target)) : entries }
}

function hostPattern({ host, port }: RelayTarget): string {
  return port === 22 ? host : `[${host}]:${port}`
}

/** Returns the settings that `ssh -G` prints for a host; keys in lower case. */
async function settingsOf(name: string): Promise<Map<string, string>> {
  const text = await runProgram('ssh', '-G', '--', name)
  return new Map(text.split('\n').map(line => [line.split(' ', 1)[0]!, line.slice(line.indexOf(' ') + 1)]))
}

/** Returns the lines of a known_hosts file about one host, hashed or not, without comments. */
async function entriesFor(host: string, path: string): Promise<string> {
  if (!existsSync(path) || readFileSync(path, 'utf8').trim() === '') return ''
  // ssh-keygen fails if there are none.
  const found = await runProgram('ssh-keygen', '-F', host, '-f', path).catch(() => '')
  return found.replace(/^#.*\n/gm, '')
}
