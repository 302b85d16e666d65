import { existsSync, lstatSync, readlinkSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import type { Root } from '../systemd/root.ts'
import { command, linkStep, type Step } from '../systemd/step.ts'
import { disabled } from '../systemd/units.ts'
import { launcherInHome, paths, socketName, unitName } from './layout.ts'
import { programMark } from './obstacles.ts'
import { isOurs } from './socket.ts'
import { socketMark, sysusers, unitMark } from './unit.ts'

/** Plans the end of the service and of its program. The store, the settings and the user stay. */
export function planRemoval(root: Root): Step[] {
  const hasUnit = isOurs(root.at(paths.unit), unitMark)
  const hasSocket = isOurs(root.at(paths.socketUnit), socketMark)
  const units = [...(hasSocket ? [socketName] : []), ...(hasUnit ? [unitName] : [])]
  const ours = [
    ...(hasUnit ? [paths.unit] : []),
    ...(hasSocket ? [paths.socketUnit] : []),
    ...(isOurs(root.at(paths.sysusers), sysusers) ? [paths.sysusers] : []),
    ...(leadsToUs(root.nameAt(paths.command)) ? [paths.command] : []),
    ...(existsSync(root.at(join(paths.program, programMark))) ? [paths.program] : []),
  ]
  // If root has joined as well, the command also served that machine, which stays.
  const launcher = `${homedir()}${launcherInHome}`
  const isServed = ours.includes(paths.command) && existsSync(root.at(launcher))
  return [
    ...(units.length > 0 ? [disabled(root, units)] : []),
    ...ours
      .map(path => root.nameAt(path))
      .map(path => ({ what: `remove ${path}`, run: () => rmSync(path, { recursive: true }) })),
    ...(isServed ? [linkStep(root.nameAt(paths.command), launcher)] : []),
    ...(units.length > 0 && root.isLive ? [command('systemctl', 'daemon-reload')] : []),
  ]
}

function leadsToUs(link: string): boolean {
  return (
    lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() === true &&
    readlinkSync(link).startsWith(`${paths.program}/`)
  )
}
