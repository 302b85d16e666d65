import {
  existsSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import type { Random } from './random.ts'

/**
 * The disk of one machine: the directory of its home, and a record of what was synced. The data of a file is durable after a sync of that
 * file, an entry of a directory after a sync of that directory.
 */
export class HomeDisk {
  readonly dir: string
  /** Synced data of files, by inode. */
  readonly #data = new Map<number, Buffer>()
  /** Synced entries of directories, by path: inodes by name. */
  readonly #entries = new Map<string, Map<string, number>>()

  constructor(dir: string) {
    this.dir = dir
    mkdirSync(dir, { recursive: true })
  }

  /** Reports whether a path is on this disk. */
  has(path: string): boolean {
    return path === this.dir || path.startsWith(`${this.dir}/`)
  }

  /** Records a sync of the file or directory that is open as `handle`. */
  synced(handle: number): void {
    const path = readlinkSync(`/proc/self/fd/${handle}`)
    const stats = statSync(path, { throwIfNoEntry: false })
    if (!stats || !this.has(path)) return
    if (stats.isFile()) this.#data.set(stats.ino, readFileSync(path))
    else this.#entries.set(path, new Map(readdirSync(path).map(name => [name, lstatSync(join(path, name)).ino])))
  }

  /** Changes the files to their state after a loss of power: everything that was synced, and any part of the rest. */
  losePower(random: Random): void {
    this.#loseIn(this.dir, random)
    this.#data.clear()
    this.#entries.clear()
    this.#recordAll(this.dir)
  }

  #loseIn(directory: string, random: Random): void {
    const synced = this.#entries.get(directory) ?? new Map<string, number>()
    const now = readdirSync(directory).sort()
    for (const name of now) {
      const path = join(directory, name)
      const stats = lstatSync(path)
      if (synced.get(name) !== stats.ino && random() < 0.5) {
        rmSync(path, { recursive: true })
        this.#restoreEntry(path, synced.get(name))
      } else if (stats.isDirectory()) this.#loseIn(path, random)
      else this.#cut(path, stats.ino, random)
    }
    for (const [name, inode] of synced)
      if (!now.includes(name) && random() < 0.5) this.#restoreEntry(join(directory, name), inode)
  }

  /** Restores an entry whose removal or replacement was not synced. */
  #restoreEntry(path: string, inode: number | undefined): void {
    const data = inode === undefined ? undefined : this.#data.get(inode)
    if (data && existsSync(dirname(path))) writeFileSync(path, data)
  }

  #cut(path: string, inode: number, random: Random): void {
    const written = readFileSync(path)
    const data = this.#data.get(inode)
    if (data?.equals(written)) return
    writeFileSync(path, random() < 0.5 ? (data ?? '') : written.subarray(0, Math.floor(random() * written.length)))
  }

  /** Records everything as synced, as after a start. */
  #recordAll(directory: string): void {
    const names = readdirSync(directory)
    this.#entries.set(directory, new Map(names.map(name => [name, lstatSync(join(directory, name)).ino])))
    for (const name of names) {
      const path = join(directory, name)
      const stats = lstatSync(path)
      if (stats.isDirectory()) this.#recordAll(path)
      else this.#data.set(stats.ino, readFileSync(path))
    }
  }
}
