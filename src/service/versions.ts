import { createHash } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  constants,
  copyFileSync,
  existsSync,
  fsyncSync,
  lchownSync,
  lstatSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs'
import { dirname, join, relative } from 'node:path'
import { syncDirectory } from '../disk/replace-file.ts'

/** A folder of `/opt/claude-net`: the version, and the beginning of the SHA-256 of all that is in it. */
const folderPattern = /^\d+\.\d+\.\d+[0-9A-Za-z.-]*-[0-9a-f]{8}$/

/** The files of a version, by their name in its folder. */
export type Files = ReadonlyMap<string, { source: string; mode: number }>

/** The program as it lies in `dist`, with its own copy of `node`. */
export function programFiles(dist: string, node: string): Files {
  const names = readdirSync(dist, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => relative(dist, join(entry.parentPath, entry.name)))
    // The folder of an installed version contains it, too.
    .filter(name => name !== 'node')
    .sort()
  const files = names.map(
    name => [name, { source: join(dist, name), mode: name === 'claude-net.mjs' ? 0o755 : 0o644 }] as const,
  )
  return new Map([...files, ['node', { source: node, mode: 0o755 }]])
}

/** The folder of these files: the same for the same bytes, another for every other build of the same version. */
export function folderName(version: string, files: Files): string {
  const hash = createHash('sha256')
  for (const [name, { source }] of files) {
    hash.update(`${name}\n${createHash('sha256').update(readFileSync(source)).digest('hex')}\n`)
  }
  return `${version}-${hash.digest('hex').slice(0, 8)}`
}

/** The versions in one directory, of which `current` runs and `previous` is kept for the way back. */
export class Versions {
  readonly dir: string

  constructor(dir: string) {
    this.dir = dir
  }

  /** The folder that a link leads to, or undefined. */
  target(link: 'current' | 'previous'): string | undefined {
    try {
      return readlinkSync(join(this.dir, link))
    } catch {
      return undefined
    }
  }

  /** Whether the folder is there and holds exactly these files. */
  isIntact(folder: string, version: string): boolean {
    const dir = join(this.dir, folder)
    return existsSync(join(dir, 'node')) && folderName(version, programFiles(dir, join(dir, 'node'))) === folder
  }

  /** Puts a version beside the others: whole and on disk under its name, or not there at all. */
  put(folder: string, files: Files): void {
    // Named after this process, since another may install the same version.
    const unfinished = join(this.dir, `${folder}.${process.pid}.new`)
    rmSync(unfinished, { recursive: true, force: true })
    try {
      copy(files, unfinished)
    } catch (error) {
      // Frees the space on a full disk.
      rmSync(unfinished, { recursive: true, force: true })
      throw error
    }
    this.#replace(folder, unfinished)
    syncDirectory(this.dir)
  }

  /** Moves `unfinished` to where `folder` is, and that away. Where the first fails, what was there is back. */
  #replace(folder: string, unfinished: string): void {
    const [place, aside] = [join(this.dir, folder), join(this.dir, `${folder}.${process.pid}.old`)]
    const wasThere = existsSync(place)
    if (wasThere) renameSync(place, aside)
    try {
      renameSync(unfinished, place)
    } catch (error) {
      if (wasThere && !existsSync(place)) renameSync(aside, place)
      throw error
    } finally {
      rmSync(aside, { recursive: true, force: true })
    }
  }

  /** Makes `folder` the current version, and keeps `previous` for the way back. */
  switchTo(folder: string, previous: string | undefined): void {
    if (previous !== undefined) this.#link('previous', previous)
    this.#link('current', folder)
  }

  /** The folders of all other versions, and what a cut installation left. */
  others(kept: readonly (string | undefined)[]): string[] {
    return this.#entries().filter(name => {
      const [, folder = name, pid] = /^(.*?)(?:\.(\d+))?\.(?:new|old)$/.exec(name) ?? []
      // Files of an installation that runs now belong to it.
      return folderPattern.test(folder) && !kept.includes(name) && !isRunning(Number(pid))
    })
  }

  remove(folder: string): void {
    rmSync(join(this.dir, folder), { recursive: true, force: true })
  }

  #entries(): string[] {
    return existsSync(this.dir) ? readdirSync(this.dir) : []
  }

  #link(name: string, folder: string): void {
    const unfinished = join(this.dir, `${name}.${process.pid}.new`)
    rmSync(unfinished, { force: true })
    symlinkSync(folder, unfinished)
    renameSync(unfinished, join(this.dir, name))
    syncDirectory(this.dir)
  }
}

/** Whether this is the number of a process other than this one. */
function isRunning(pid: number): boolean {
  if (!(pid > 0) || pid === process.pid) return false
  try {
    process.kill(pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}

/** Makes `dir`, root's where root does it, with these files in it, all of it on disk. */
function copy(files: Files, dir: string): void {
  for (const [name, { source, mode }] of files) {
    const path = join(dir, name)
    mkdirSync(dirname(path), { recursive: true, mode: 0o755 })
    copyFileSync(source, path, constants.COPYFILE_FICLONE)
    chmodSync(path, mode)
    sync(path)
  }
  for (const path of [dir, ...readdirSync(dir, { recursive: true }).map(name => join(dir, String(name)))]) {
    if (process.getuid?.() === 0) lchownSync(path, 0, 0)
    if (lstatSync(path).isDirectory()) {
      chmodSync(path, 0o755)
      syncDirectory(path)
    }
  }
}

function sync(path: string): void {
  const handle = openSync(path, 'r')
  try {
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
}
