import { chmodSync, chownSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { replaceFile, syncDirectory } from '../disk/replace-file.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { type Root, serviceUser } from './layout.ts'
import type { Step } from './step.ts'

/** Owner of a file: root alone, root with the service as a reader, or the service. */
type Owner = 'root' | 'group' | 'service'

/** A step that writes a file whole, or not at all. */
export function file(root: Root, path: string, text: string, mode: number, owner: Owner = 'root'): Step {
  const target = root.nameAt(path)
  return {
    what: `write ${target} (0${mode.toString(8)})`,
    text,
    run: () => {
      mkdirSync(dirname(target), { recursive: true })
      replaceFile(target, text, mode)
      own(root, target, mode, owner)
    },
  }
}

/** A step that makes a directory, or gives one that is there its mode and owner. */
export function directory(root: Root, path: string, mode: number, owner: Owner): Step {
  const target = root.at(path)
  return {
    what: `make ${target} (0${mode.toString(8)}, ${owner === 'root' ? 'root' : serviceUser})`,
    run: () => {
      mkdirSync(target, { recursive: true })
      own(root, target, mode, owner)
      syncDirectory(dirname(target))
    },
  }
}

/** A step that lets the service read a file that somebody else has written. */
export function readable(root: Root, path: string): Step {
  const target = root.at(path)
  return { what: `let the service read ${target} (0640)`, run: () => own(root, target, 0o640, 'group') }
}

/** Only root can give things away; for others they stay as they are. */
function own(root: Root, path: string, mode: number, owner: Owner): void {
  chmodSync(path, mode)
  if (process.getuid?.() !== 0) return
  const { uid, gid } = owner === 'root' ? { uid: 0, gid: 0 } : serviceIds(root)
  chownSync(path, owner === 'service' ? uid : 0, gid)
}

/** The numbers of the service's user, from that system's own list. */
function serviceIds(root: Root): { uid: number; gid: number } {
  const users = readFileSync(root.at('/etc/passwd'), 'utf8')
  const [, uid, gid] = new RegExp(`^${serviceUser}:[^:]*:(\\d+):(\\d+):`, 'm').exec(users) ?? []
  if (uid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  throw new ClaudeNetError(
    'not_found',
    `${root.at('/etc/passwd')} has no user ${serviceUser}.`,
    'systemd-sysusers should have made it: is it installed here?',
  )
}
