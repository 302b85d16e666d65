import { chmodSync, chownSync, mkdirSync, readFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { replaceFile, syncDirectory } from '../disk/replace-file.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { Root } from './root.ts'
import type { Step } from './step.ts'

/** Owner of a file: root alone, root with the group of a user as a reader, or a user. */
type Owner = 'root' | { reader: string } | { user: string }

/** Returns a step that writes a file atomically. */
export function file(root: Root, path: string, text: string, mode: number, owner: Owner = 'root'): Step {
  const target = root.nameAt(path)
  return {
    what: `write ${target} (0${mode.toString(8)})`,
    file: { path: target, text },
    run: () => {
      mkdirSync(dirname(target), { recursive: true })
      replaceFile(target, text, mode)
      own(root, target, mode, owner)
    },
  }
}

/** Returns a step that creates a directory, or sets mode and owner of one that exists. */
export function directory(root: Root, path: string, mode: number, owner: Owner): Step {
  const target = root.at(path)
  return {
    what: `make ${target} (0${mode.toString(8)}, ${owner === 'root' ? owner : nameOf(owner)})`,
    run: () => {
      mkdirSync(target, { recursive: true })
      own(root, target, mode, owner)
      syncDirectory(dirname(target))
    },
  }
}

/** Returns a step that lets a service with the user `reader` read a file that somebody else wrote. */
export function readable(root: Root, path: string, reader: string): Step {
  const target = root.at(path)
  return { what: `let the service read ${target} (0640)`, run: () => own(root, target, 0o640, { reader }) }
}

/** Sets mode and owner. Only root can change the owner; for other users it stays. */
function own(root: Root, path: string, mode: number, owner: Owner): void {
  chmodSync(path, mode)
  if (process.getuid?.() !== 0) return
  const { uid, gid } = owner === 'root' ? { uid: 0, gid: 0 } : idsOf(nameOf(owner), root)
  chownSync(path, owner !== 'root' && 'user' in owner ? uid : 0, gid)
}

function nameOf(owner: Exclude<Owner, 'root'>): string {
  return 'user' in owner ? owner.user : owner.reader
}

/** Returns the ids of a user, from that system's own list. */
function idsOf(name: string, root: Root): { uid: number; gid: number } {
  const users = readFileSync(root.at('/etc/passwd'), 'utf8')
  const [, uid, gid] = new RegExp(`^${name}:[^:]*:(\\d+):(\\d+):`, 'm').exec(users) ?? []
  if (uid !== undefined) return { uid: Number(uid), gid: Number(gid) }
  throw new ClaudeNetError(
    'not_found',
    `${root.at('/etc/passwd')} has no user ${name}.`,
    'systemd-sysusers should have made it: is it installed here?',
  )
}
