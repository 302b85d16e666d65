import { existsSync, lstatSync, readdirSync, readFileSync, realpathSync, renameSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { Root } from '../systemd/root.ts'
import { runProgram, type Step } from '../systemd/step.ts'
import { paths, socketName, unitDirectories, unitName } from './layout.ts'
import { type Listener, listenerOn } from './listener.ts'
import { isOurs } from './socket.ts'
import { socketMark, unitMark } from './unit.ts'

/** Something of another program in a place that the service needs. */
export interface Obstacle {
  /** The thing in the way, in a sentence. */
  what: string
  /** The step that moves it aside; undefined where the installer must not do that. */
  aside: Step | undefined
  /** The commands that bring it back. */
  wayBack: string[]
}

/** In a program directory of ours. */
export const programMark = '.claude-net'

/** Files that a hub makes in its data directory when it first starts; one of them marks it as a hub's. */
const storeFiles = ['hub.lock', 'hub.db', 'admin.token']

/** Time that a process may take to end after SIGTERM, in ms. */
const endMs = 10_000

/** Returns everything of other programs that is in the way: units of our name, our directories, a listener on `port`. Changes nothing. */
export function findObstacles(root: Root, port: number): Obstacle[] {
  const units = [...foreignUnits(root, socketName, socketMark), ...foreignUnits(root, unitName, unitMark)]
  const directories = [
    foreignDirectory(root, paths.program, [programMark], 'the program'),
    foreignDirectory(root, paths.data, storeFiles, 'the store'),
  ]
  return [
    ...units,
    ...directories.filter(found => found !== undefined),
    ...foreignListener(root, port, units.length > 0),
  ]
}

function foreignUnits(root: Root, unitName: string, mark: string): Obstacle[] {
  const found = unitDirectories
    .map(dir => root.nameAt(join(dir, unitName)))
    .filter(path => lstatSync(path, { throwIfNoEntry: false }))
  // /lib is /usr/lib on most systems.
  const paths = [...new Map(found.map(path => [realDirectory(path), path])).values()]
  return paths
    .filter(path => !readText(path).startsWith(mark))
    .map(path => {
      const kept = freeName(path)
      return {
        what: `${path} is a unit that Claude Net did not write.`,
        aside: {
          what: `stop ${unitName}, and move ${path} to ${kept}`,
          run: async () => {
            if (root.isLive) await runProgram('systemctl', 'disable', '--now', unitName)
            renameSync(path, kept)
            if (root.isLive) await runProgram('systemctl', 'daemon-reload')
          },
        },
        wayBack: [`mv ${kept} ${path}`, 'systemctl daemon-reload', `systemctl enable --now ${unitName}`],
      }
    })
}

function foreignDirectory(root: Root, path: string, marks: string[], use: string): Obstacle | undefined {
  const dir = root.at(path)
  const stats = lstatSync(dir, { throwIfNoEntry: false })
  if (!stats) return undefined
  if (stats.isDirectory()) {
    const names = readdirSync(dir)
    if (names.length === 0 || marks.some(mark => names.includes(mark))) return undefined
  }
  const kept = freeName(dir)
  return {
    what: `${dir} is there, and nothing of Claude Net's in it: it is to hold ${use}.`,
    aside: { what: `move ${dir} to ${kept}`, run: () => renameSync(dir, kept) },
    wayBack: [`mv ${kept} ${dir}`],
  }
}

/** Whoever has the port, unless it is the service itself, or a unit that is stopped already because it has our name. */
function foreignListener(root: Root, port: number, isUnitForeign: boolean): Obstacle[] {
  const listener = port === 0 ? undefined : listenerOn(port)
  if (!listener) return []
  const isHub = listener.program.startsWith(`${root.at(paths.program)}/`)
  const isOurSocket = listener.isSystemd && isOurs(root.at(paths.socketUnit), socketMark)
  if (isHub || isOurSocket || (isUnitForeign && listener.unit === unitName)) return []
  const { pid, command, unit } = listener
  const what = `Port ${port} is taken by ${unit ? `the service ${unit}, ` : ''}process ${pid}: ${command}`
  if (!root.isLive) return [{ what, aside: undefined, wayBack: [] }]
  if (listener.isSystemd) {
    const held = `Port ${port} is held by systemd, for a socket unit: systemctl list-sockets names it.`
    return [{ what: held, aside: undefined, wayBack: [] }]
  }
  return [unit ? serviceAside(what, unit) : processAside(what, listener, port)]
}

function serviceAside(what: string, unit: string): Obstacle {
  const run = () => runProgram('systemctl', 'disable', '--now', unit)
  return { what, aside: { what: `stop ${unit} for good`, run }, wayBack: [`systemctl enable --now ${unit}`] }
}

function processAside(what: string, { pid, command }: Listener, port: number): Obstacle {
  const run = async () => {
    process.kill(pid, 'SIGTERM')
    for (const giveUpAt = performance.now() + endMs; listenerOn(port)?.pid === pid; await delay(50)) {
      if (performance.now() < giveUpAt) continue
      throw new ClaudeNetError('conflict', `Process ${pid} still has port ${port}.`, 'End it, then run this again.')
    }
  }
  return {
    what,
    aside: pid === 0 ? undefined : { what: `end process ${pid}`, run },
    wayBack: [`start again what was process ${pid}: ${command}`],
  }
}

/** A name beside `path` that nothing has. */
function freeName(path: string): string {
  const names = Array.from({ length: 100 }, (_, n) => `${path}.before-claude-net${n === 0 ? '' : `-${n + 1}`}`)
  return names.find(name => !existsSync(name)) ?? `${path}.before-claude-net-${Date.now()}`
}

function realDirectory(path: string): string {
  return realpathSync(join(path, '..'))
}

export function readText(path: string): string {
  try {
    return readFileSync(path, 'utf8')
  } catch {
    return ''
  }
}
