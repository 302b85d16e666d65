import type { Logger } from 'pino'
import { rescueStore } from '../damage.ts'
import { databaseFile, type HubOptions } from '../hub.ts'
import type { Metrics } from '../seeing/metrics.ts'
import type { Database } from '../state/store/database.ts'
import { logVerdict } from './open-history.ts'

/** Time between a fatal error and the end of the process, in ms: callers receive the error, and /readyz reports it, before the hub ends. */
export const farewellMs = 500

export interface StoreEventsOptions {
  log: Logger
  metrics: Metrics
  dataDir: string
  db: () => Database
  onFatal: () => void
}

type Events = 'onClockStep' | 'onPutBack' | 'onBug' | 'onVerdict' | 'onStorageError' | 'onDamage'

/** Returns listeners that log what happens to the store and the history. After a fatal error they save what they can and call `onFatal`. */
export function storeEvents({ log, metrics, dataDir, db, onFatal }: StoreEventsOptions): Pick<HubOptions, Events> {
  return {
    onClockStep: ({ byMs, atStart }) =>
      log.warn(
        { byMs },
        `the wall clock ${atStart ? 'does not fit the end of the history' : 'was set'}; deletions and expiries do not depend on it`,
      ),
    onPutBack: (cursor, newest) =>
      log.warn(
        { cursor, newest },
        'a reader has seen entries that the store does not have: the store was replaced by an older copy; readers start again, and entries after the copy are lost',
      ),
    onBug: ({ seq, command }, err) => log.error({ err, seq, command: command.type }, 'a command failed'),
    onVerdict: (verdict, differing) => logVerdict(log, verdict, differing),
    onStorageError: (err, fatal) => {
      metrics.storageFailed()
      log[fatal ? 'fatal' : 'error']({ err }, fatal ? fatalInWords(err) : 'the disk is full')
      if (!fatal) return
      setTimeout(() => {
        const saved = rescueStore(err, db(), dataDir, databaseFile)
        if (saved) log.fatal(saved)
        onFatal()
      }, farewellMs)
    },
    onDamage: err => {
      metrics.storageFailed()
      log.fatal({ err }, 'the store is damaged; the hub stores nothing more, and shows what it can read')
    },
  }
}

/** Returns why the hub stops and, where the history and this program do not fit together, what to do about it. */
function fatalInWords(error: unknown): string {
  const { message, hint } = error as { message: string; hint?: string }
  return hint === undefined ? 'the store failed; the hub stops' : `${message} The hub stops. ${hint}`
}
