import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { type Process, startHub, startYardstick } from './processes.ts'
import type { Member } from './store.ts'
import { Store } from './store.ts'

export interface BenchOptions {
  /** Directory for the stores, on the disk that is to be measured. */
  dir: string
  /** Runs fewer, shorter rounds with fewer sessions, to check that everything works. */
  quick: boolean
  /** Uses a million stored messages instead of a hundred thousand. */
  full: boolean
  /** Reports progress. */
  say: (text: string) => void
}

/** A hub and the plain server, with members that can use both. */
export interface Pairing extends AsyncDisposable {
  hub: Process
  plain: Process
  members: Member[]
}

/** Stores and processes of one run. Disposing it removes its directory. */
export class Bench implements Disposable {
  readonly quick: boolean
  readonly full: boolean
  readonly say: (text: string) => void
  readonly #dir: string
  #stores = 0

  constructor({ dir, quick, full, say }: BenchOptions) {
    mkdirSync(dir, { recursive: true })
    this.#dir = mkdtempSync(join(dir, 'claude-net-bench-'))
    this.quick = quick
    this.full = full
    this.say = say
  }

  /** Returns an unused path for a store or a home. */
  freshPath(purpose: string): string {
    return join(this.#dir, `${purpose}-${++this.#stores}`)
  }

  /** Starts a hub with `count` joined members, called m0, m1, …, and a plain server. */
  async startPairing(count: number): Promise<Pairing> {
    const dataDir = this.freshPath('hub')
    const members = this.makeStore(dataDir, count)
    const hub = await startHub(dataDir)
    const plain = await startYardstick('plain-http.ts')
    const close = async () => {
      await Promise.all([hub[Symbol.asyncDispose](), plain[Symbol.asyncDispose]()])
      rmSync(dataDir, { recursive: true })
    }
    return { hub, plain, members, [Symbol.asyncDispose]: close }
  }

  /** Makes a hub's store with `count` joined members and whatever `fill` adds. */
  makeStore(dataDir: string, count: number, fill?: (store: Store, members: Member[]) => void): Member[] {
    using store = new Store(dataDir)
    const members = store.addMembers(count)
    fill?.(store, members)
    return members
  }

  [Symbol.dispose](): void {
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 3 })
  }
}
