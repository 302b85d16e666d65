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

/** What a version consists of: files by their name in the folder. */
export type Files = ReadonlyMap<string, { source: string; mode: number }>

/** The program as it lies in `dist`, with its own copy of `node`. */
export function programFiles(dist: string, node: string): Files {
  const names = readdirSync(dist, { recursive: true, withFileTypes: true })
    .filter(entry => entry.isFile())
    .map(entry => relative(dist, join(entry.parentPath, entry.name)))
    // In a folder of an installed version it lies beside the others.
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
    // Of this process alone, should another install the same.
    const unfinished = join(this.dir, `${folder}.${process.pid}.new`)
    rmSync(unfinished, { recursive: true, force: true })
    try {
      copy(files, unfinished)
    } catch (error) {
      // On a full disk every byte counts.
      rmSync(unfinished, { recursive: true, force: true })
      throw error
    }
    rmSync(join(this.dir, folder), { recursive: true, force: true })
    renameSync(unfinished, join(this.dir, folder))
    syncDirectory(this.dir)
  }

  /** Makes `folder` the current version, and keeps `previous` for the way back. */
  switchTo(folder: string, previous: string | undefined): void {
    if (previous !== undefined) this.#link('previous', previous)
    this.#link('current', folder)
  }

  /** The folders of all other versions, and what a cut installation left. */
  others(kept: readonly (string | undefined)[]): string[] {
    return this.#entries().filter(
      name => folderPattern.test(name.replace(/(\.\d+)?\.new$/, '')) && !kept.includes(name),
    )
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
