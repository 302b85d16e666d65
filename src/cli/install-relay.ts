import { existsSync, readFileSync } from 'node:fs'
import { connect } from 'node:net'
import { hostname } from 'node:os'
import { delimiter, join, resolve } from 'node:path'
import { Command } from 'commander'
import { ClaudeNetError } from '../protocol/errors.ts'
import { file } from '../systemd/place.ts'
import { Root } from '../systemd/root.ts'
import { runProgram, type Step } from '../systemd/step.ts'
import { enabled, restarted, usersMade } from '../systemd/units.ts'
import { carryOut, type Installed, requireSystem } from './installing.ts'
import { print } from './output.ts'
import { resolveTarget } from './relay-target.ts'
import {
  forwardingOnly,
  type RelayTarget,
  relayPaths,
  relayPort,
  relayService,
  relaySysusers,
  relayUnit,
} from './relay-unit.ts'

interface RelayOptions {
  root?: string
  knownHosts?: string
  dryRun?: boolean
  json?: boolean
}

const relay: Installed = {
  foreground: `ssh -N -L ${relayPort}:localhost:${relayPort} HUBHOST forwards the port while it runs`,
  onMac: 'A relay needs a box with Linux.',
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
      const { dryRun = false } = options
      const root = new Root(options.root === undefined ? undefined : resolve(options.root))
      const { target, knownHosts } = await resolveTarget(name)
      const hostKeys = options.knownHosts === undefined ? knownHosts : readFileSync(options.knownHosts, 'utf8')
      if (!dryRun) refuseWithoutHostKey(name, hostKeys)
      if (!dryRun && root.isLive) {
        requireSystem(relay)
        await refuseTakenPort()
      }
      const steps = planRelay(root, target, hostKeys)
      await carryOut(steps, options)
      const publicKey = readText(`${root.nameAt(relayPaths.key)}.pub`)
      const authorizedKey = `${forwardingOnly},command="false" ${publicKey ?? `ssh-ed25519 … (made when this runs)`}`
      const laptopKey = `${forwardingOnly} ssh-ed25519 … (the laptop's key)`
      const files = steps.flatMap(({ file }) => file ?? [])
      const commands = steps.flatMap(({ command }) => (command ? [command] : []))
      print(options, { target, files, steps: commands, isInstalled: !dryRun, authorizedKey, laptopKey }, () =>
        [
          ...(root.isLive || dryRun ? [] : ['Nothing was started.']),
          '',
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

/** Plans the installation of the relay. On the running system the service is started last. Changes nothing. */
function planRelay(root: Root, target: RelayTarget, hostKeys: string): Step[] {
  return [
    file(root, relayPaths.sysusers, relaySysusers, 0o644),
    file(root, relayPaths.knownHosts, hostKeys, 0o644),
    file(root, relayPaths.unit, relayUnit(findSsh(), target), 0o644),
    keyMade(root.nameAt(relayPaths.key)),
    ...(root.isLive
      ? [
          usersMade(root, relayPaths.sysusers),
          ...enabled(root, [relayService]),
          restarted(relayService, { hint: `journalctl -u ${relayService} has more.` }),
        ]
      : []),
  ]
}

/** Returns the step that creates the key. It stays once it exists, since authorized_keys on the hub's host contains it. */
function keyMade(key: string): Step {
  const comment = `claude-net-relay@${hostname()}`
  return {
    what: `create the key ${key}, unless it exists`,
    run: () => existsSync(key) || runProgram('ssh-keygen', '-q', '-t', 'ed25519', '-N', '', '-C', comment, '-f', key),
  }
}

function refuseWithoutHostKey(name: string, hostKeys: string): void {
  if (hostKeys.trim() !== '') return
  throw new ClaudeNetError(
    'not_found',
    `The host key of ${name} is not known here.`,
    `Run this once and compare the fingerprint before you agree: ssh ${name} true. Or give --known-hosts FILE.`,
  )
}

async function refuseTakenPort(): Promise<void> {
  if (existsSync(relayPaths.unit) || !(await isTaken(relayPort))) return
  throw new ClaudeNetError(
    'conflict',
    `Something listens on port ${relayPort} of this machine already.`,
    "A relay runs on a box that is not the hub's host.",
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

function readText(path: string): string | undefined {
  return existsSync(path) ? readFileSync(path, 'utf8').trim() : undefined
}
