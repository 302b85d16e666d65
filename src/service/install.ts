import { accessSync, constants, existsSync, lstatSync, readlinkSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { type HubConfig, readHubConfig } from '../hub/config/hub-config.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { version } from '../protocol/version.ts'
import { directory, file, readable } from '../systemd/place.ts'
import type { Root } from '../systemd/root.ts'
import { linkStep, runProgram, type Step } from '../systemd/step.ts'
import { usersMade } from '../systemd/units.ts'
import { launcherInHome, paths, serviceUser } from './layout.ts'
import { findObstacles, type Obstacle, programMark, readText } from './obstacles.ts'
import { isOurs, takesSockets, withoutSocket } from './socket.ts'
import { isRunning, started } from './start.ts'
import { socketMark, socketUnit, sysusers, unit } from './unit.ts'
import { folderName, programFiles, Versions } from './versions.ts'

/** The oldest Node that runs a hub. */
const oldestNode = 24

/** Runs the current version by its own Node, for people at the hub's host. */
const launcher = `#!/bin/sh
exec ${paths.program}/current/node ${paths.program}/current/claude-net.mjs "$@"
`

interface InstallOptions {
  root: Root
  /** For a hub.json that is not there yet. Default 3500. */
  port?: number
  /** The Node to copy. Default: the one that runs this. */
  node?: string
  /** Whether others' things are moved aside. */
  replace?: boolean
  /** Whether systemd holds the port, as far as it can. Default true. */
  socket?: boolean
}

/** Steps of an installation, or of going back. */
export interface Plan {
  /** The version's folder. */
  folder: string
  /** The version that is kept for the way back; undefined the first time. */
  previous: string | undefined
  steps: Step[]
  /** Things in the way; empty unless `replace` is given. */
  obstacles: Obstacle[]
  port: number
  /** Whether systemd holds the port while the hub is away. */
  isPortHeld: boolean
}

/** Plans what puts this program, with its own Node, on a system as a service, or upgrades it. Changes nothing. */
export async function planInstallation(options: InstallOptions): Promise<Plan> {
  const { root, port, node = process.execPath, replace, socket = true } = options
  await requireNode(node)
  const config = settings(root, port)
  const socketText = socket ? socketUnit(config) : undefined
  const obstacles = findObstacles(root, config.port)
  refuseUnlessMovable(obstacles, replace, root)
  const files = programFiles(import.meta.dirname, node)
  const folder = folderName(version, files)
  const versions = new Versions(root.at(paths.program))
  // A directory that is moved aside contains no version of ours.
  const isFresh = !existsSync(root.at(join(paths.program, programMark)))
  const previous = isFresh ? undefined : await wayBack(versions, folder, root)
  const steps = [
    ...obstacles.flatMap(({ aside }) => aside ?? []),
    file(root, paths.sysusers, sysusers, 0o644),
    usersMade(root, paths.sysusers),
    directory(root, paths.settings, 0o755, 'root'),
    existsSync(root.at(paths.hubJson))
      ? readable(root, paths.hubJson, serviceUser)
      : file(root, paths.hubJson, hubJson(config), 0o640, { reader: serviceUser }),
    directory(root, paths.data, 0o700, { user: serviceUser }),
    directory(root, paths.program, 0o755, 'root'),
    file(root, `${paths.program}/${programMark}`, 'The hub of Claude Net, one folder per version.\n', 0o644),
    ...(!isFresh && versions.isIntact(folder, version)
      ? []
      : [
          {
            what: `copy the program and ${node} to ${join(versions.dir, folder)}`,
            run: () => versions.put(folder, files),
          },
        ]),
    { what: `make ${folder} the current version`, run: () => versions.switchTo(folder, previous) },
    file(root, `${paths.program}/bin/claude-net`, launcher, 0o755),
    ...linkCommand(root),
    file(root, paths.unit, unit, 0o644),
    ...(socketText === undefined ? withoutSocket(root) : [file(root, paths.socketUnit, socketText, 0o644)]),
    ...started(
      root,
      previous,
      socketText === undefined ? undefined : { isNew: readText(root.nameAt(paths.socketUnit)) !== socketText },
    ),
    ...(isFresh ? [] : versions.others([folder, previous])).map(name => ({
      what: `remove ${name}`,
      run: () => versions.remove(name),
    })),
  ]
  return { folder, previous, steps, obstacles, port: config.port, isPortHeld: socketText !== undefined }
}

/** Plans the way back to the version before the current one. Changes nothing. */
export function planWayBack(root: Root): Plan {
  const versions = new Versions(root.at(paths.program))
  const [current, previous] = [versions.target('current'), versions.target('previous')]
  if (!previous) {
    throw new ClaudeNetError('not_found', 'No previous version is kept here.', 'Install the one that you want.')
  }
  const isHeld = isOurs(root.at(paths.socketUnit), socketMark)
  const isPortHeld = isHeld && takesSockets(join(versions.dir, previous))
  const steps = [
    { what: `make ${previous} the current version`, run: () => versions.switchTo(previous, current) },
    // A version that opens its port itself would find it in use.
    ...(isHeld && !isPortHeld ? withoutSocket(root) : []),
    ...(root.isLive ? started(root, current, isPortHeld ? { isNew: false } : undefined) : []),
  ]
  return { folder: previous, previous: current, steps, obstacles: [], port: settings(root, undefined).port, isPortHeld }
}

/** The version to keep beside `next`: the one that runs; if that one never came up, the one before it. */
async function wayBack(versions: Versions, next: string, root: Root): Promise<string | undefined> {
  const [current, previous] = [versions.target('current'), versions.target('previous')]
  if (current === next) return previous
  return previous === undefined || !root.isLive || (await isRunning()) ? current : previous
}

/** hub.json as it is, or as it will be. Throws `invalid` when it cannot be used. */
function settings(root: Root, port: number | undefined): HubConfig {
  const path = root.at(paths.hubJson)
  const isThere = existsSync(path)
  if (isThere) requireReadable(path)
  const config = readHubConfig(isThere ? { config: path } : { port })
  if (port === undefined || port === config.port) return config
  throw new ClaudeNetError('invalid', `${path} says port ${config.port}.`, 'Change it there, or leave --port out.')
}

function requireReadable(path: string): void {
  try {
    accessSync(path, constants.R_OK)
  } catch {
    throw new ClaudeNetError('forbidden', `${path} is not for this user to read.`, 'Run it with sudo.')
  }
}

function hubJson({ host, port }: HubConfig): string {
  return `${JSON.stringify({ host, port }, null, 2)}\n`
}

async function requireNode(node: string): Promise<void> {
  const found = node === process.execPath ? process.version : (await runProgram(node, '--version')).trim()
  if (Number(/^v(\d+)\./.exec(found)?.[1]) >= oldestNode) return
  throw new ClaudeNetError(
    'invalid',
    `The hub needs Node ${oldestNode} or newer; ${node} is ${found}.`,
    'Name another with --node FILE, or run ./install.sh from a checkout, which brings its own.',
  )
}

function refuseUnlessMovable(obstacles: Obstacle[], replace: boolean | undefined, root: Root): void {
  const inTheWay = replace ? obstacles.filter(({ aside }) => !aside) : obstacles
  if (inTheWay.length === 0) return
  const hint = obstacles.every(({ aside }) => aside)
    ? '--replace moves aside what is in the way and says how to bring it back; with --dry-run it only shows that.'
    : root.isLive
      ? 'End that process, or choose another port with --port.'
      : 'With --root nothing outside it is touched: free the port yourself, or choose another with --port.'
  throw new ClaudeNetError('conflict', inTheWay.map(({ what }) => what).join('\n'), `Nothing was changed. ${hint}`)
}

/**
 * The command of a machine that has joined gives way: the hub's serves that machine too, and more. So does a link that leads nowhere.
 * Anything else stays.
 */
function linkCommand(root: Root): Step[] {
  const link = root.nameAt(paths.command)
  const present = lstatSync(link, { throwIfNoEntry: false })
  if (present && !(present.isSymbolicLink() && (isMachines(link) || leadsNowhere(root, link)))) return []
  return [linkStep(link, `${paths.program}/bin/claude-net`)]
}

/** Whether a link leads to the launcher in the home of a machine, the one that is taken without CLAUDE_NET_HOME. */
function isMachines(link: string): boolean {
  return readlinkSync(link).endsWith(launcherInHome)
}

/** Targets are those of that system. */
function leadsNowhere(root: Root, link: string): boolean {
  const target = resolve(dirname(paths.command), readlinkSync(link))
  return !lstatSync(root.at(target), { throwIfNoEntry: false })
}
