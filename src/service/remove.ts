import { existsSync, lstatSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { homedir } from 'node:os'
import { join } from 'node:path'
import { launcherInHome, paths, type Root, unitName } from './layout.ts'
import { programMark } from './obstacles.ts'
import { command, linkStep, type Step } from './step.ts'
import { sysusers, unitMark } from './unit.ts'

/** Plans the end of the service and of its program. The store, the settings and the user stay. */
export function planRemoval(root: Root): Step[] {
  const hasUnit = beginsWith(root.at(paths.unit), unitMark)
  const disable = root.isLive ? ['disable', '--now', unitName] : [`--root=${root.dir}`, 'disable', unitName]
  const ours = [
    ...(hasUnit ? [paths.unit] : []),
    ...(beginsWith(root.at(paths.sysusers), sysusers) ? [paths.sysusers] : []),
    ...(leadsToUs(root.nameAt(paths.command)) ? [paths.command] : []),
    ...(existsSync(root.at(join(paths.program, programMark))) ? [paths.program] : []),
  ]
  // Where root has joined too, the command served that machine, which stays.
  const launcher = `${homedir()}${launcherInHome}`
  const isServed = ours.includes(paths.command) && existsSync(root.at(launcher))
  return [
    ...(hasUnit ? [command('systemctl', ...disable)] : []),
    ...ours
      .map(path => root.nameAt(path))
      .map(path => ({ what: `remove ${path}`, run: () => rmSync(path, { recursive: true }) })),
    ...(isServed ? [linkStep(root.nameAt(paths.command), launcher)] : []),
    ...(hasUnit && root.isLive ? [command('systemctl', 'daemon-reload')] : []),
  ]
}

/** Whether we have written this file: others' of the same name stay. */
function beginsWith(path: string, text: string): boolean {
  return existsSync(path) && readFileSync(path, 'utf8').startsWith(text)
}

function leadsToUs(link: string): boolean {
  return (
    lstatSync(link, { throwIfNoEntry: false })?.isSymbolicLink() === true &&
    readlinkSync(link).startsWith(`${paths.program}/`)
  )
}
