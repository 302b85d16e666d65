import { statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import type { Logger } from 'pino'
import { databaseFile } from '../hub.ts'
import type { EtcdLog } from '../journal/etcd/etcd-log.ts'
import { HistoryError } from '../journal/log.ts'
import { takeSnapshot } from '../keeping/take-snapshot.ts'
import { type Peer, peerTopic, readPeers } from '../sharing/peers.ts'
import { ownLog } from '../state/local/own-log.ts'
import { State } from '../state/state.ts'

/** Time to wait for a hub that can provide a snapshot, and the interval between attempts, in ms. */
const patienceMs = 5000
const lookMs = 250

export interface JoinOptions {
  dataDir: string
  /** Name of this hub, and of its log in etcd. */
  hub: string
  name: string
  /** See `journal.snapshots` of hub.json. */
  snapshots?: string
  program: string
  log: Logger
}

/**
 * Replaces the store in `dataDir` by a snapshot where it ends before the log begins, as an empty one does. A store of another history or
 * another hub is left alone; opening it reports that. Throws `HistoryError` where a snapshot is needed and no hub provides one.
 */
export async function takeNeededSnapshot(log: EtcdLog, options: JoinOptions): Promise<void> {
  const { dataDir, hub, name, snapshots: dir, program } = options
  const first = await log.first()
  if (first <= 1) return
  const { epoch, offset, own } = placeOfStore(dataDir)
  const isOurs = epoch === '' ? offset === 0 : epoch === log.epoch
  if (!isOurs || (own && own !== hub) || offset + 1 >= first) return
  options.log.info({ first, offset }, 'the store of this hub needs a snapshot: the log begins later')
  const failed: string[] = []
  const taken = await takeSnapshot({
    ...{ dataDir, epoch: log.epoch, first, offset, dir, program },
    peers: await peersOf(log, hub),
    secret: await log.secret(),
    onProgress: what => options.log.info(what, 'a snapshot is being copied'),
    onFailed: (from, err) => {
      failed.push(`${from}: ${err.message}`)
      options.log.warn({ from, why: err.message }, 'no snapshot could be copied from there')
    },
  })
  if (taken) {
    options.log.info(taken, 'the store of this hub was replaced by a snapshot')
    return
  }
  throw new HistoryError(
    `'${name}' in etcd begins at record ${first}, this hub has applied it up to ${offset}, and no hub of it provided a snapshot (${failed.join('; ') || 'none is running'}).`,
    'Start another hub of this history, or put one of its backups into the directory that "journal": {"snapshots"} names in hub.json.',
  )
}

/** Returns the hubs that can provide a snapshot. Retries, since a hub that has just started listening appears a moment later. */
async function peersOf(log: EtcdLog, hub: string): Promise<Peer[]> {
  for (const end = performance.now() + patienceMs; ; await delay(lookMs)) {
    const peers = readPeers(await log.shown(peerTopic), hub)
    if (peers.length > 0 || performance.now() > end) return peers
  }
}

/** Returns the position of a store, and the name of the hub that owns it. */
function placeOfStore(dataDir: string): { epoch: string; offset: number; own?: string | null } {
  const file = join(dataDir, databaseFile)
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0) return { epoch: '', offset: 0 }
  using state = new State(file)
  return { ...state.position, own: ownLog(state.db)?.hub }
}
