import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { takeLock } from '../disk/process-lock.ts'
import { removeUnfinished, syncDirectory } from '../disk/replace-file.ts'
import type { Home } from './home.ts'
import { type Kept, type KeptFile, keep, listKept, readKept } from './kept.ts'
import { Refusals } from './refusals.ts'

/** Time after which the lock of a suspended drainer is taken over, in ms. A running one renews it at half of that. */
const staleLockMs = 10_000

/** Returns the files that wait in a home's outbox, oldest first. */
export function waitingIn(home: Home): string[] {
  return listKept(home.outboxDir)
}

/** The files of a home's outbox: messages that wait, and refusals. Shared by all processes of the machine. */
export class OutboxStore {
  readonly refusals: Refusals
  readonly #home: Home
  /** Ids of messages that are decided, but whose file could not be removed. */
  readonly #done = new Set<string>()

  constructor(home: Home) {
    this.#home = home
    this.refusals = new Refusals(home)
  }

  get directory(): string {
    return this.#home.outboxDir
  }

  /** Returns the files that wait, oldest first. */
  waiting(): string[] {
    return waitingIn(this.#home)
  }

  isWaiting(id: string): boolean {
    return this.waiting().some(file => file.includes(id))
  }

  /** Yields the waiting messages that can be read, oldest first. Damaged files are set aside. */
  *files(): Generator<KeptFile> {
    for (const file of this.waiting()) {
      try {
        const kept = readKept(this.directory, file)
        if (kept && !this.#done.has(kept.request.id)) yield kept
      } catch {
        try {
          this.refusals.setAside(join(this.directory, file))
        } catch {
          // Removed meanwhile, or the disk cannot be written: it stays there.
        }
      }
    }
  }

  /** Appends a message. Throws the system's error if the disk cannot be written. */
  add(request: Kept): void {
    keep(this.directory, request)
  }

  /** Removes the waiting message `id`. */
  removeId(id: string): void {
    for (const file of this.waiting()) if (file.includes(id)) this.remove(file, id)
  }

  /** Removes the file of message `id`. If the disk cannot be written, this process still ignores the file from now on. */
  remove(file: string, id: string): void {
    try {
      rmSync(join(this.directory, file), { force: true })
      syncDirectory(this.directory)
    } catch {
      // Another process may send it again, which is safe.
      this.ignore(id)
    }
  }

  /** Leaves the file of message `id` in place, and ignores it in this process. */
  ignore(id: string): void {
    this.#done.add(id)
  }

  /** Removes the temporary files of killed processes. */
  removeUnfinished(): void {
    for (const dir of [this.#home.dir, this.directory, this.refusals.directory]) removeUnfinished(dir)
  }

  /**
   * Takes `run/outbox.lock`, and returns a function that releases it; undefined while another process holds it. Two processes may
   * drain at once after a long suspension, or where the disk takes no lock: they send the same ids in the same order, which is safe.
   */
  async lock(): Promise<(() => Promise<void>) | undefined> {
    try {
      return await takeLock(join(this.#home.runDir, 'outbox.lock'), { staleMs: staleLockMs })
    } catch {
      return async () => {}
    }
  }
}
