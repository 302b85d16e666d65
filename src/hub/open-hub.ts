import { join } from 'node:path'
import { databaseFile, Hub, type HubOptions } from './hub.ts'
import { LocalJournal } from './journal/local.ts'
import { SteadyClock } from './journal/steady-clock.ts'
import { State } from './state/state.ts'

export interface OpenHubOptions extends Omit<HubOptions, 'state' | 'journal'> {
  /** A clock that never steps, in ms. */
  monotonic?: () => number
}

/** A hub that stands alone: its state and its journal are the one file `dataDir/hub.db`. Nobody else has it open: see lock.ts. */
export function openHub(options: OpenHubOptions): Hub {
  const state = new State(join(options.dataDir, databaseFile))
  try {
    const { now = Date.now, monotonic = () => performance.now() } = options
    const clock = new SteadyClock({ last: state.position, now, monotonic })
    return new Hub({ ...options, state, journal: new LocalJournal(state, clock) })
  } catch (error) {
    state.close()
    throw error
  }
}
