import { lstatSync, readlinkSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { ClaudeNetError } from '../protocol/errors.ts'

/** A system to install into: this one, or the tree below `dir`. */
export class Root {
  readonly dir: string

  constructor(dir = '/') {
    this.dir = dir
  }

  /** Whether this is the running system, so that services can be started and stopped. */
  get isLive(): boolean {
    return this.dir === '/'
  }

  /**
   * Returns where a path of that system is on this one. Links in the tree lead where they would on that system, so an absolute one, or one
   * with more `..` than there are directories, stays below `dir`. Throws `invalid` for links in a circle.
   */
  at(path: string): string {
    return this.isLive ? path : join(this.dir, this.#resolve(path))
  }

  /** The same for a name that may be a link itself, which is not followed. */
  nameAt(path: string): string {
    return this.isLive ? path : join(this.dir, this.#resolve(dirname(path)), basename(path))
  }

  /** The path without links, as that system would say it. */
  #resolve(path: string): string {
    const left = path.split('/')
    let [resolved, links] = ['/', 0]
    while (left.length > 0) {
      const name = left.shift()!
      // The parent of the root is the root.
      const next = join(resolved, name)
      if (!isLink(join(this.dir, next))) resolved = next
      else {
        if (++links > maxLinks) throw circle(join(this.dir, path))
        const target = readlinkSync(join(this.dir, next))
        if (target.startsWith('/')) resolved = '/'
        left.unshift(...target.split('/'))
      }
    }
    return resolved
  }
}

/** Most links on the way to one file, as Linux has it. */
const maxLinks = 40

function isLink(path: string): boolean {
  return lstatSync(path, { throwIfNoEntry: false })?.isSymbolicLink() === true
}

function circle(path: string): ClaudeNetError {
  return new ClaudeNetError('invalid', `The links on the way to ${path} lead in a circle.`, 'Mend them in that tree.')
}
