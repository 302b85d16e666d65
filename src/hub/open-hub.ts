import { join } from 'node:path'
import { databaseFile, Hub, type HubOptions } from './hub.ts'
import { LocalJournal } from './journal/local.ts'
import type { Log } from './journal/log.ts'
import { LogJournal } from './journal/log-journal.ts'
import { SteadyClock } from './journal/steady-clock.ts'
import { Level } from './sharing/level.ts'
import { expectAlone, joinAs } from './sharing/whose-store.ts'
import { State } from './state/state.ts'

/** Options to open a hub, without its callbacks. */
interface OpenOptions {
  dataDir: string
  /** Wall clock, ms since 1970. */
  now?: () => number
  /** Clock that never steps, in ms. */
  monotonic?: () => number
  /** For a shared history; see `SteadyClockOptions`. */
  leads?: () => boolean
}

export interface OpenHubOptions extends Omit<HubOptions, 'state' | 'journal'>, OpenOptions {}

/** An open history for a `Hub`, which closes it. */
type Opened = Pick<HubOptions, 'state' | 'journal' | 'level'>

/** Opens a standalone hub. */
export function openHub(options: OpenHubOptions): Hub {
  return new Hub({ ...options, ...openAlone(options) })
}

/**
 * Opens state and journal of a standalone hub, both in the one file `dataDir/hub.db`. The caller holds the lock of lock.ts, so no other
 * process has it open. Throws `conflict` for the store of a hub that shares a log.
 */
export function openAlone(options: OpenOptions): Opened {
  const state = new State(join(options.dataDir, databaseFile))
  try {
    expectAlone(state, options.dataDir)
    return { state, journal: new LocalJournal(state, clockAfter(state, options)) }
  } catch (error) {
    state.close()
    throw error
  }
}

/** The log that a hub shares with others: the log, its name, and the name of this hub in it. */
export interface Sharing {
  log: Log
  name: string
  hub: string
}

/**
 * Opens state, journal and level of a hub that shares its history with others: the state is `dataDir/hub.db`, the journal follows the log.
 * Resolves once all records of the log are applied. Throws as `LogJournal.open` and `joinAs` do, after it has closed the log.
 */
export async function openShared(
  { log, name, hub }: Sharing,
  options: OpenOptions & { staleReadsS?: number },
): Promise<Opened> {
  try {
    const state = new State(join(options.dataDir, databaseFile))
    try {
      joinAs(state, { epoch: log.epoch, first: await log.first(), name, hub }, options.dataDir)
      const journal = await LogJournal.open(state, log, { clock: clockAfter(state, options), hub })
      const { staleReadsS } = options
      const level = new Level({ staleReadsS, last: () => log.last(), position: () => state.position })
      return { state, journal, level }
    } catch (error) {
      state.close()
      throw error
    }
  } catch (error) {
    await log.close()
    throw error
  }
}

function clockAfter(
  state: State,
  { now = Date.now, monotonic = () => performance.now(), leads }: OpenOptions,
): SteadyClock {
  return new SteadyClock({ last: state.position, now, monotonic, leads })
}
