import { setTimeout as delay } from 'node:timers/promises'
import { expect, onTestFinished } from 'vitest'
import { Hub } from '../../src/hub/hub.ts'
import type { Commit } from '../../src/hub/journal/journal.ts'
import { readPack } from '../../src/hub/journal/log.ts'
import { openShared } from '../../src/hub/open-hub.ts'
import { Claim } from '../../src/hub/sharing/claim.ts'
import type { Command } from '../../src/hub/state/commands.ts'
import { MemoryLog } from './memory-log.ts'
import { tempDir } from './temp.ts'

/** The wall clock and the monotonic one, for tests that set them. */
interface OpenOptions {
  dataDir?: string
  now?: () => number
  monotonic?: () => number
}

/** Longest turn of a hub that is awaited, in ms, also on a busy machine. A claim that is delayed for longer stays pending. */
const longestTurnMs = 500

/** Interval of the checks by the hubs themselves, which therefore never run: the tests check claims. */
const never = 2 ** 31 - 1

/** Hubs in this process over one log in memory, and the clock by which they judge claims, in ms. */
export class ClaimingHubs {
  readonly log = new MemoryLog()
  now = 0
  /** Claims in progress: a hub may yield to another one before it writes its claim. */
  readonly #asked = new Set<Promise<unknown>>()

  async open(name: string, { dataDir = tempDir('claims'), ...clocks }: OpenOptions = {}): Promise<ClaimingHub> {
    const claim = new Claim({ hub: name, now: () => this.now, lookMs: never })
    const listeners = new Set<(commit: Commit) => void>()
    const opened = await openShared(
      { log: this.log.connect(), name: 'main', hub: name },
      { dataDir, ...clocks, leads: () => claim.isMine },
    )
    const hub = new Hub({
      ...opened,
      dataDir,
      duty: claim,
      onCommit: commit => {
        claim.committed(commit)
        for (const listener of listeners) listener(commit)
      },
      onBug: (_, error) => {
        throw error
      },
      onStorageError: () => {},
    })
    const close = async () => {
      await claim.close()
      await hub.close()
    }
    onTestFinished(close)
    claim.start({
      db: hub.state.db,
      submit: command => {
        const asked = hub.submit(command)
        const end = () => void this.#asked.delete(asked)
        this.#asked.add(asked)
        asked.then(end, end)
        return asked
      },
    })
    return { claim, hub, name, dataDir, listeners, close, die: () => hub.close() }
  }

  /** Returns the commands in the log of this type, in order. */
  commands(type: Command['type']): Command[] {
    return this.log.records.flatMap(bytes => readPack(bytes).commands).filter(command => command.type === type)
  }

  /** Lets `ms` pass; once per second of it, the hubs in `awake` check their claims and apply the results. */
  async pass(ms: number, awake: ClaimingHub[]): Promise<void> {
    for (const end = this.now + ms; this.now < end; ) {
      this.now = Math.min(end, this.now + 1000)
      await this.look(awake)
    }
  }

  async look(awake: ClaimingHub[]): Promise<void> {
    for (const { claim } of awake) claim.look()
    await this.settled(awake)
  }

  /** Resolves once all requests are in the log and applied by all hubs in `awake`. */
  async settled(awake: ClaimingHub[]): Promise<void> {
    await Promise.race([Promise.allSettled([...this.#asked]), delay(longestTurnMs)])
    for (let quiet = 0, end = this.log.end; quiet < 5; quiet = end === this.log.end ? quiet + 1 : 0) {
      end = this.log.end
      await new Promise(resolve => setImmediate(resolve))
    }
    for (const { hub } of awake)
      await expect.poll(() => hub.state.position.offset, { timeout: 90_000 }).toBe(this.log.end)
  }
}

export interface ClaimingHub {
  claim: Claim
  hub: Hub
  name: string
  dataDir: string
  /** Called with each batch that this hub has applied. */
  listeners: Set<(commit: Commit) => void>
  close(): Promise<void>
  /** Closes the hub without notifying the others, like a crash. */
  die(): Promise<void>
}

/** Returns the names of the hubs that hold the duty. */
export const holders = (hubs: ClaimingHub[]) => hubs.filter(({ claim }) => claim.isMine).map(({ name }) => name)

/** Starts three hubs; h0 holds the duty. */
export async function threeHubs() {
  const hubs = new ClaimingHubs()
  const all = [await hubs.open('h0'), await hubs.open('h1'), await hubs.open('h2')] as const
  await hubs.settled([...all])
  return { hubs, all: [...all], h0: all[0], h1: all[1], h2: all[2] }
}
