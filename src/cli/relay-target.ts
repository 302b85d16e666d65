import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { userHome } from '../disk/user-home.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { SshHost } from '../protocol/ssh-host.ts'
import { visibleLine } from '../text/visible.ts'
import type { RelayTarget } from './relay-unit.ts'
import { UsageError } from './usage-error.ts'

/** Target of `name` by the ssh configuration of the user who installs the relay, and its lines in known_hosts, or ''. */
export interface Resolved {
  target: RelayTarget
  knownHosts: string
}

/** Resolves `name` by ssh itself. Throws for an invalid name, and for a host that is reached only through another. */
export function resolveTarget(name: string): Resolved {
  const checked = SshHost.safeParse(name)
  if (!checked.success) {
    throw new UsageError(
      `'${visibleLine(name, 100)}': ${checked.error.issues[0]!.message}.`,
      'It looks like hubhost, or relay@hub.example.com',
    )
  }
  const settings = settingsOf(checked.data)
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
  const known = setting('hostkeyalias') || (target.port === 22 ? target.host : `[${target.host}]:${target.port}`)
  const alias = setting('hostkeyalias')
  const entries = setting('userknownhostsfile')
    .split(' ')
    .map(path => entriesFor(known, path.replace(/^~(?=\/)/, userHome() ?? '~')))
    .join('')
  // Where the relay looks the host up there is no alias.
  return { target, knownHosts: alias ? entries.replaceAll(alias, hostPattern(target)) : entries }
}

function hostPattern({ host, port }: RelayTarget): string {
  return port === 22 ? host : `[${host}]:${port}`
}

/** Returns the settings that `ssh -G` prints for a host; keys in lower case. */
function settingsOf(name: string): Map<string, string> {
  const text = runOrFail('ssh', ['-G', '--', name])
  return new Map(text.split('\n').map(line => [line.split(' ', 1)[0]!, line.slice(line.indexOf(' ') + 1)]))
}

/** The lines of a known_hosts file about one host, hashed or not, without comments. */
function entriesFor(host: string, path: string): string {
  if (!existsSync(path) || readFileSync(path, 'utf8').trim() === '') return ''
  try {
    const found = execFileSync('ssh-keygen', ['-F', host, '-f', path], {
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    return found.replace(/^#.*\n/gm, '')
  } catch {
    return '' // It says by its status that there is none.
  }
}

/** Runs a program and returns its stdout. Throws an error with its stderr. */
export function runOrFail(program: string, args: string[]): string {
  try {
    return execFileSync(program, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] })
  } catch (error) {
    const { code, stderr } = error as NodeJS.ErrnoException & { stderr?: string }
    if (code === 'ENOENT') {
      throw new ClaudeNetError('not_found', `${program} is not on this machine.`, 'A relay needs OpenSSH and systemd.')
    }
    throw new ClaudeNetError(
      'internal',
      `${program} ${visibleLine(args.join(' '), 200)} failed: ${visibleLine((stderr ?? String(error)).trim(), 300)}`,
      'What was written stays; run this again when that is mended.',
    )
  }
}
