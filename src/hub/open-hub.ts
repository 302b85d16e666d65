import { join } from 'node:path'
import { databaseFile, Hub, type HubOptions } from './hub.ts'
import { LocalJournal } from './journal/local.ts'
import type { Log } from './journal/log.ts'
import { LogJournal } from './journal/log-journal.ts'
import { SteadyClock } from './journal/steady-clock.ts'
import { Level } from './sharing/level.ts'
import { expectAlone, joinAs } from './sharing/whose-store.ts'
import { State } from './state/state.ts'

/** What a hub is opened with, besides who is told what happens in it. */
interface OpenOptions {
  dataDir: string
  /** Wall clock, ms since 1970. */
  now?: () => number
  /** A clock that never steps, in ms. */
  monotonic?: () => number
  /** Where the history is shared: see `SteadyClockOptions`. */
  leads?: () => boolean
}

export interface OpenHubOptions extends Omit<HubOptions, 'state' | 'journal'>, OpenOptions {}

/** A history, ready to be given to a `Hub`, which closes both. */
type Opened = Pick<HubOptions, 'state' | 'journal' | 'level'>

/** A hub that stands alone. */
export function openHub(options: OpenHubOptions): Hub {
  return new Hub({ ...options, ...openAlone(options) })
}

/**
 * State and journal of a hub that stands alone: both are the one file `dataDir/hub.db`. Nobody else has it open: see lock.ts. Throws
 * `conflict` for the store of a hub that shares a log.
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

/** Which log a hub shares with others, and what it is called among them. */
export interface Sharing {
  log: Log
  name: string
  hub: string
}

/**
 * State, journal and level of a hub that shares its history with others: the state is `dataDir/hub.db`, the journal goes by the log. Resolves once
 * all that the log had is applied. Throws as `LogJournal.open` and `joinAs` do, and has closed the log then.
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
