import { execFileSync } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import type { Random } from '../sim/random.ts'

/** Unit that a disk writes atomically, in bytes. */
const sectorBytes = 512

/** Number of sectors written but not synced, by outcome, and the files that they are in. */
export interface Fate {
  kept: number
  dropped: number
  files: Set<string>
}

/** A directory in which the library of `power-loss.c` stores what a hub has synced. */
export class SyncedFiles {
  readonly #dir: string
  /** Environment of a hub whose syncs are to be recorded. */
  readonly env: Record<string, string>

  /** Uses `dir`, which must be empty. Throws `ENOENT` without gcc. `syncMs` is the extra time of each sync. */
  constructor(dir: string, syncMs: number) {
    this.#dir = dir
    const library = join(this.#dir, 'power-loss.so')
    const source = join(import.meta.dirname, 'power-loss.c')
    execFileSync('gcc', ['-shared', '-fPIC', '-O2', '-o', library, source, '-ldl'])
    const synced = this.#path('synced')
    mkdirSync(synced)
    this.env = {
      LD_PRELOAD: library,
      CLAUDE_NET_SYNCED: synced,
      CLAUDE_NET_SYNC_US: String(Math.round(syncMs * 1000)),
    }
  }

  /**
   * Changes the store of a killed hub to what a loss of power leaves: everything synced, and of each sector written since either the new or
   * the old content. Drops all of those, keeps all, or decides for each at random.
   */
  losePower(dataDir: string, random: Random): Fate {
    const fate: Fate = { kept: 0, dropped: 0, files: new Set() }
    const chances = [0, 1, random()]
    const chance = chances[Math.floor(random() * 3)]!
    const isKept = () => random() < chance
    for (const name of ['hub.db', 'hub.db-wal']) {
      const file = join(dataDir, name)
      const [synced, written] = [read(this.#path('synced', name)), read(file)]
      rmSync(file, { force: true })
      if (!synced && !isKept()) continue
      const [before, after] = [synced ?? Buffer.alloc(0), written ?? Buffer.alloc(0)]
      if (!before.equals(after)) fate.files.add(name)
      writeFileSync(file, torn(before, after, isKept, fate), { mode: 0o600 })
      // The current content counts as synced from now on.
      writeFileSync(this.#path('synced', name), readFileSync(file))
    }
    // The shared-memory file is never on disk.
    rmSync(join(dataDir, 'hub.db-shm'), { force: true })
    return fate
  }

  /** Checks a copy of a store and its log. Returns `ok`, or SQLite's first finding. */
  check(dataDir: string): unknown {
    const dir = this.#path('checked')
    rmSync(dir, { recursive: true, force: true })
    mkdirSync(dir)
    for (const name of ['hub.db', 'hub.db-wal']) {
      const bytes = read(join(dataDir, name))
      if (bytes) writeFileSync(join(dir, name), bytes)
    }
    using db = new DatabaseSync(join(dir, 'hub.db'))
    return db.prepare('pragma integrity_check(1)').get()!.integrity_check
  }

  #path(...names: string[]): string {
    return join(this.#dir, ...names)
  }
}

/**
 * Returns a file whose content on disk was `synced` and whose last content was `written`; `isKept` decides for each sector that differs. A
 * sector in neither is zeros.
 */
function torn(synced: Buffer, written: Buffer, isKept: () => boolean, fate: Fate): Buffer {
  const bytes = Buffer.alloc(isKept() ? written.length : synced.length)
  for (let at = 0; at < bytes.length; at += sectorBytes) {
    const [before, after] = [synced, written].map(file => file.subarray(at, at + sectorBytes)) as [Buffer, Buffer]
    const keeps = before.equals(after) || isKept()
    if (!before.equals(after)) fate[keeps ? 'kept' : 'dropped']++
    ;(keeps && at < written.length ? after : before).copy(bytes, at)
  }
  fate.dropped += Math.max(0, Math.ceil((written.length - bytes.length) / sectorBytes))
  return bytes
}

function read(file: string): Buffer | undefined {
  try {
    return readFileSync(file)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
    return undefined
  }
}
