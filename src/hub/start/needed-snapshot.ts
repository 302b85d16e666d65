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

/** How long a hub that could give a snapshot is waited for, and how often it is looked for, in ms. */
const patienceMs = 5000
const lookMs = 250

export interface JoinOptions {
  dataDir: string
  /** What this hub is called, and its log in etcd. */
  hub: string
  name: string
  /** See `journal.snapshots` of hub.json. */
  snapshots?: string
  program: string
  log: Logger
}

/**
 * Sees to it that the store in `dataDir` is far enough for the log to go on behind it: an empty one, and one from before the log begins,
 * is replaced by a snapshot. A store of another history or of another hub is left as it is; whoever opens it says so. Throws
 * `HistoryError` where a snapshot is needed and nobody has one.
 */
export async function takeNeededSnapshot(log: EtcdLog, options: JoinOptions): Promise<void> {
  const { dataDir, hub, name, snapshots: dir, program } = options
  const first = await log.first()
  if (first <= 1) return
  const { epoch, offset, own } = placeOfStore(dataDir)
  const isOurs = epoch === '' ? offset === 0 : epoch === log.epoch
  if (!isOurs || (own && own !== hub) || offset + 1 >= first) return
  options.log.info({ first, offset }, 'the store of this hub needs a snapshot: the log begins further on')
  const failed: string[] = []
  const taken = await takeSnapshot({
    ...{ dataDir, epoch: log.epoch, first, offset, dir, program },
    peers: await peersOf(log, hub),
    secret: await log.secret(),
    onProgress: what => options.log.info(what, 'a snapshot is taken'),
    onFailed: (from, err) => {
      failed.push(`${from}: ${err.message}`)
      options.log.warn({ from, why: err.message }, 'no snapshot could be taken there')
    },
  })
  if (taken) {
    options.log.info(taken, 'the store of this hub begins with a snapshot')
    return
  }
  throw new HistoryError(
    `'${name}' in etcd begins at record ${first}, this hub has applied it up to ${offset}, and no hub of it gave a snapshot (${failed.join('; ') || 'none is there'}).`,
    'Start another hub of this history, or put one of its backups into the directory that "journal": {"snapshots"} names in hub.json.',
  )
}

/** The hubs that could give a snapshot; of one that has just begun to listen, the others know a moment later. */
async function peersOf(log: EtcdLog, hub: string): Promise<Peer[]> {
  for (const end = performance.now() + patienceMs; ; await delay(lookMs)) {
    const peers = readPeers(await log.shown(peerTopic), hub)
    if (peers.length > 0 || performance.now() > end) return peers
  }
}

/** How far a store is, and the name of the hub whose it is. */
function placeOfStore(dataDir: string): { epoch: string; offset: number; own?: string | null } {
  const file = join(dataDir, databaseFile)
  if ((statSync(file, { throwIfNoEntry: false })?.size ?? 0) === 0) return { epoch: '', offset: 0 }
  using state = new State(file)
  return { ...state.position, own: ownLog(state.db)?.hub }
}
