import { existsSync, mkdirSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { hostname } from 'node:os'
import { delimiter, dirname, join } from 'node:path'
import { Command } from 'commander'
import { replaceFile } from '../disk/replace-file.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { print } from './output.ts'
import { resolveTarget, runOrFail } from './relay-target.ts'
import { forwardingOnly, type RelayTarget, relayPaths, relayPort, relaySysusers, relayUnit } from './relay-unit.ts'

interface RelayOptions {
  root?: string
  knownHosts?: string
  dryRun?: boolean
  json?: boolean
}

/** A file of the relay as it is to be. */
interface RelayFile {
  path: string
  text: string
}

export function installRelayCommand(): Command {
  return new Command('install-relay')
    .description("Install a service that forwards localhost:3500 to the hub's host, on a box that laptops reach by ssh")
    .argument('<hubhost>', "The hub's host as ssh knows it on this box: HOST or USER@HOST")
    .option('--known-hosts <file>', "File with the host key of the hub's host, if it is not in your known_hosts")
    .option('--root <dir>', 'Write below DIR, and start nothing')
    .option('--dry-run', 'Show what would be written and run, and change nothing')
    .option('--json', 'Print JSON')
    .action(async (name: string, options: RelayOptions) => {
      const { root = '/', dryRun = false } = options
      const { target, knownHosts } = resolveTarget(name)
      const hostKeys = options.knownHosts === undefined ? knownHosts : readFileSync(options.knownHosts, 'utf8')
      if (!dryRun) refuseWithoutHostKey(name, hostKeys)
      const isReal = !dryRun && root === '/'
      if (isReal) await refuseWrongPlace()
      const files = relayFiles(target, hostKeys).map(file => ({ ...file, path: join(root, file.path) }))
      const steps = stepsFor(root)
      if (!dryRun) {
        write(files, join(root, relayPaths.key))
        for (const [program, ...args] of isReal ? steps : []) runOrFail(program!, args)
      }
      const publicKey = readIfThere(join(root, `${relayPaths.key}.pub`))
      const authorizedKey = `${forwardingOnly},command="false" ${publicKey ?? `ssh-ed25519 … (made when this runs)`}`
      const laptopKey = `${forwardingOnly} ssh-ed25519 … (the laptop's key)`
      print(options, { target, files, steps, isInstalled: !dryRun, authorizedKey, laptopKey }, () =>
        [
          ...(dryRun ? shown(files, steps) : done(files, steps, isReal)),
          `On ${target.host}, add this line to ~${target.user}/.ssh/authorized_keys; the key can do nothing else there:`,
          `  ${authorizedKey}`,
          `Here, in authorized_keys of the account that laptops log in to, put before each of their keys:`,
          `  ${forwardingOnly}`,
          'With that a laptop can still run a command here, which its join line needs. Once it has joined, add: ,command="false"',
          `Then, on ${target.host}: claude-net invite NAME --via ${hostname()}  (by the name under which the laptop's ssh knows this box)`,
        ].join('\n'),
      )
    })
}

function relayFiles(target: RelayTarget, hostKeys: string): RelayFile[] {
  return [
    { path: relayPaths.sysusers, text: relaySysusers },
    { path: relayPaths.knownHosts, text: hostKeys },
    { path: relayPaths.unit, text: relayUnit(findSsh(), target) },
  ]
}

/** Returns the programs that are run after the files are written, in order. */
function stepsFor(root: string): string[][] {
  if (root !== '/') return []
  return [
    ['systemd-sysusers', relayPaths.sysusers],
    ['systemctl', 'daemon-reload'],
    ['systemctl', 'enable', 'claude-net-relay'],
    ['systemctl', 'restart', 'claude-net-relay'],
  ]
}

/** The key is made once, and stays: it stands in authorized_keys of the hub's host. */
function write(files: RelayFile[], key: string): void {
  for (const { path, text } of files) {
    mkdirSync(dirname(path), { recursive: true })
    replaceFile(path, text, 0o644)
  }
  if (existsSync(key)) return
  runOrFail('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', `claude-net-relay@${hostname()}`, '-f', key])
}

function shown(files: RelayFile[], steps: string[][]): string[] {
  return [
    ...files.flatMap(({ path, text }) => [
      `would write ${path}:`,
      ...text
        .trimEnd()
        .split('\n')
        .map(line => `  ${line}`),
    ]),
    `would make ${relayPaths.key}, unless it is there`,
    ...steps.map(step => `would run: ${step.join(' ')}`),
    '',
  ]
}

function done(files: RelayFile[], steps: string[][], isReal: boolean): string[] {
  return [
    ...files.map(({ path }) => `wrote ${path}`),
    ...(isReal ? steps.map(step => `ran ${step.join(' ')}`) : ['Nothing was started.']),
    '',
  ]
}

function refuseWithoutHostKey(name: string, hostKeys: string): void {
  if (hostKeys.trim() !== '') return
  throw new ClaudeNetError(
    'not_found',
    `The host key of ${name} is not known here.`,
    `Run this once and compare the fingerprint before you agree: ssh ${name} true. Or give --known-hosts FILE.`,
  )
}

async function refuseWrongPlace(): Promise<void> {
  if (process.getuid?.() !== 0) {
    throw new ClaudeNetError(
      'forbidden',
      'Only root can install a service.',
      'Run it with sudo, or look first: --dry-run',
    )
  }
  if (existsSync(relayPaths.unit) || !(await isTaken(relayPort))) return
  throw new ClaudeNetError(
    'conflict',
    `Something listens on port ${relayPort} of this machine already.`,
    "A relay stands on a box that is not the hub's host.",
  )
}

function isTaken(port: number): Promise<boolean> {
  return new Promise(resolve => {
    const socket = connect(port, '127.0.0.1', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
}

/** Returns the absolute path of ssh, which a unit requires. */
function findSsh(): string {
  const places = ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter)].map(dir => join(dir, 'ssh'))
  return places.find(path => existsSync(path)) ?? '/usr/bin/ssh'
}

function readIfThere(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined
}
