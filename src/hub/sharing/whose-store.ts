import { ClaudeNetError } from '../../protocol/errors.ts'
import { HistoryError } from '../journal/log.ts'
import { ownLog } from '../state/local/own-log.ts'
import type { State } from '../state/state.ts'

/** Throws `conflict` if the store in `dataDir` belongs to a log: the other hubs would never get what it stored alone. */
export function expectAlone({ db }: State, dataDir: string): void {
  const own = ownLog(db)
  if (!own) return
  throw new ClaudeNetError(
    'conflict',
    `The store in ${dataDir} belongs to the history '${own.name}' in etcd${asHub(own.hub)}, and cannot be used without it.`,
    `Start this hub with --journal etcd://HOST:PORT,…/${own.name} or journal in hub.json; or, to have it stand alone from now on: claude-net journal leave --data ${dataDir}`,
  )
}

/** A log, and this hub's name among those that share it. `first` is the offset of its oldest record, 0 for none. */
export interface Joined {
  epoch: string
  first: number
  name: string
  hub: string
}

/**
 * Joins the store to a log. Throws `HistoryError` for the store of another history, and for one that the log cannot continue; `conflict`
 * for the store of a hub of another name. Changes nothing then.
 */
export function joinAs(state: State, { epoch, first, name, hub }: Joined, dataDir: string): void {
  const own = ownLog(state.db)
  const { position } = state
  const isEmpty = position.epoch === '' && position.offset === 0 && position.seq === 0
  if (own && own.hub !== null && own.hub !== hub) {
    throw new ClaudeNetError(
      'conflict',
      `The store in ${dataDir} is the one of the hub '${own.hub}'; this hub is called '${hub}'.`,
      `Start it as --hub-name ${own.hub}, or hubName in hub.json. A hub of another name gets an empty directory of its own, and takes a snapshot by itself.`,
    )
  }
  if (!own && !isEmpty && position.epoch !== epoch) {
    throw new HistoryError(
      `The store in ${dataDir} is that of a standalone hub, and '${name}' in etcd has another history.`,
      `To begin a history with this store: claude-net journal init --from ${dataDir}, with a name that is not taken. To join '${name}': start with an empty data directory.`,
    )
  }
  if (!isEmpty && position.epoch !== epoch) {
    throw new HistoryError(
      `'${name}' in etcd has the history ${epoch}, the store in ${dataDir} ${position.epoch}: the log was recreated, or it is a different one.`,
      `Bring the log back. Or start this hub with an empty data directory, which takes a snapshot of the log. To continue with this store alone: claude-net journal leave --data ${dataDir}`,
    )
  }
  if (first > position.offset + 1) {
    throw new HistoryError(
      `'${name}' in etcd begins at record ${first}, and the store in ${dataDir} has applied it up to ${position.offset}.`,
      'Start this hub with a newer snapshot.',
    )
  }
  if (own?.name === name && own.hub === hub) return
  state.joinLog(epoch, { name, hub, begunAt: own?.begunAt ?? null })
}

function asHub(hub: string | null): string {
  return hub === null ? '' : ` (as '${hub}')`
}
