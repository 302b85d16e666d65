import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { Command } from 'commander'
import { Root } from '../systemd/root.ts'
import { noHubHere, toPort } from './hub.ts'
import { carryOut, type Installed, requireSystem } from './installing.ts'
import { print } from './output.ts'

type Plan = Awaited<ReturnType<typeof import('../service/service.ts').planInstallation>>

/** The hub, as far as systemd does not run it. */
export const hubService: Installed = {
  foreground: 'claude-net hub runs a hub in the foreground',
  onMac:
    'docs/operations.md, under "On macOS and in WSL", has the plist with which launchd starts a hub at boot: /Library/LaunchDaemons/claude-net.hub.plist.',
}

interface ServiceOptions {
  root?: string
  port?: number
  node?: string
  replace?: boolean
  back?: boolean
  socket?: boolean
  dryRun?: boolean
  json?: boolean
}

export function installServiceCommand(): Command {
  return new Command('install-service')
    .description('Install or upgrade the hub as a systemd service; run as root')
    .option('--dry-run', 'Show every step and every file, and change nothing')
    .option('--replace', 'Move aside a unit, directory or listener of another program, and print how to restore it')
    .option('--back', 'Return to the previous version')
    .option('--port <number>', 'Port for a hub.json that does not exist yet (default 3500)', toPort)
    .option('--no-socket', 'Let the hub open its port itself, instead of systemd holding it (claude-net.socket)')
    .option('--node <file>', 'Node (24 or newer) to copy for the hub (default: the one that runs this command)')
    .option('--root <dir>', 'Install into the tree below DIR, for an image; nothing outside it is changed')
    .option('--json', 'Print JSON')
    .action(async (options: ServiceOptions) => {
      const { planInstallation, planWayBack } = await import('../service/service.ts').catch(noHubHere)
      const root = new Root(options.root === undefined ? undefined : resolve(options.root))
      if (root.isLive && !options.dryRun) requireSystem(hubService)
      const plan = options.back ? planWayBack(root) : await planInstallation({ ...options, root })
      await carryOut(plan.steps, options)
      const { folder, port, isPortHeld } = plan
      const done = { folder, previous: plan.previous ?? null, port, isPortHeld, wayBack: wayBackOf(plan) }
      print(options, { ...done, steps: plan.steps.map(({ what }) => what) }, () =>
        installed(plan, options, root.isLive),
      )
    })
}

export function uninstallServiceCommand(): Command {
  return new Command('uninstall-service')
    .description('Stop and remove the service and its program; the store and the settings stay')
    .option('--dry-run', 'Show every step, and change nothing')
    .option('--root <dir>', 'Remove it from the tree below DIR')
    .option('--json', 'Print JSON')
    .action(async (options: ServiceOptions) => {
      const { paths, planRemoval } = await import('../service/service.ts').catch(noHubHere)
      const root = new Root(options.root === undefined ? undefined : resolve(options.root))
      if (root.isLive && !options.dryRun) requireSystem(hubService)
      const steps = planRemoval(root)
      await carryOut(steps, options)
      const kept = [paths.data, paths.settings].map(path => root.at(path)).filter(path => existsSync(path))
      print(options, { steps: steps.map(({ what }) => what), kept }, () =>
        [
          steps.length === 0
            ? 'No service is installed here.'
            : options.dryRun
              ? 'Nothing was changed.'
              : 'The service is gone.',
          ...(kept.length > 0 ? [`Kept, with all messages: ${kept.join(', ')}`] : []),
        ].join('\n'),
      )
    })
}

/** The commands that bring back what was moved aside. */
function wayBackOf({ obstacles }: Plan): string[] {
  const lines = obstacles.flatMap(({ wayBack }) => wayBack)
  return lines.length === 0 ? [] : ['claude-net uninstall-service', ...lines]
}

function installed(plan: Plan, { dryRun }: ServiceOptions, isLive: boolean): string {
  const wayBack = wayBackOf(plan)
  const aside =
    wayBack.length === 0
      ? []
      : ['', 'The way back to what was there before, as root:', ...wayBack.map(line => `  ${line}`)]
  const back = plan.previous ? [`${plan.previous} is kept: sudo claude-net install-service --back`] : []
  if (dryRun) return ['Nothing was changed.', ...aside].join('\n')
  if (!isLive) return [`${plan.folder} is installed there, and starts with that system.`, ...aside].join('\n')
  return [
    `The hub runs, and starts with this host: ${plan.folder}, port ${plan.port}.`,
    ...(plan.isPortHeld ? ['systemd holds that port while the hub is away: systemctl status claude-net.socket'] : []),
    ...back,
    ...aside,
    '',
    'How it is: sudo claude-net status. A machine joins by the line of: sudo claude-net invite NAME',
  ].join('\n')
}
