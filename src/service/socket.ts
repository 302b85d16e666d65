import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import type { Root } from '../systemd/root.ts'
import type { Step } from '../systemd/step.ts'
import { disabled } from '../systemd/units.ts'
import { paths, socketName } from './layout.ts'
import { socketMark } from './unit.ts'

/** Whether we have written this file: others' of the same name stay. */
export function isOurs(path: string, mark: string): boolean {
  return existsSync(path) && readFileSync(path, 'utf8').startsWith(mark)
}

/** Steps after which systemd holds the port no more; none where it does not. */
export function withoutSocket(root: Root): Step[] {
  const path = root.nameAt(paths.socketUnit)
  if (!isOurs(path, socketMark)) return []
  return [disabled(root, [socketName]), { what: `remove ${path}`, run: () => rmSync(path) }]
}

/** Whether the hub of an installed version takes the sockets that systemd hands over: earlier ones listen by themselves. */
export function takesSockets(folder: string): boolean {
  return readdirSync(folder)
    .filter(name => /^hub.*\.mjs$/.test(name))
    .some(name => readFileSync(join(folder, name), 'utf8').includes('LISTEN_FDS'))
}
