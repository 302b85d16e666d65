import type { AddressInfo } from 'node:net'
import type { Logger } from 'pino'
import { backupSettings, type HubConfig } from '../config/hub-config.ts'
import { etcdAccess } from '../config/journal.ts'
import type { Hub } from '../hub.ts'
import type { HubIdentity } from '../identity/identity.ts'
import type { EtcdLog } from '../journal/etcd/etcd-log.ts'
import { EtcdRoom } from '../journal/etcd/etcd-room.ts'
import type { Backups } from '../keeping/backups.ts'
import { Snapshots } from '../keeping/snapshots.ts'
import { Hubs } from '../sharing/hubs.ts'
import { peerTopic, peerValue } from '../sharing/peers.ts'
import { Trimming } from '../sharing/trimming.ts'
import type { Cleanup } from './cleanup.ts'
import { addressesForPeers, ownAddress } from './own-address.ts'

/** Ways to reach this hub; they change with hub.json, the hub's key, and once it listens. */
export interface Reach {
  /** Address of the console, for browsers. */
  url: string | undefined
  ssh: string | undefined
  identity: HubIdentity | undefined
  /** Addresses the hub listens on. */
  listening: () => readonly AddressInfo[]
}

export interface SharingOptions {
  hub: Hub
  log: Logger
  /** The log that the hub shares; undefined for a standalone hub. */
  sharedLog: EtcdLog | undefined
  backups: Backups
  reach: Reach
  /** See `TrimmingOptions.everyMs`. */
  trimEveryMs?: number
  cleanup: Cleanup
}

export interface Sharing {
  hubs: Hubs
  snapshots: Snapshots | undefined
  /** Publishes `reach` to clients and to the other hubs. */
  announce: () => void
}

/** Starts what a hub has in common with the others of its history: the list of hubs, snapshots for newcomers, and trimming of the log. */
export async function startSharing(config: HubConfig, options: SharingOptions): Promise<Sharing> {
  const { hub, log, sharedLog, backups, reach, trimEveryMs, cleanup } = options
  const snapshots =
    sharedLog &&
    new Snapshots({
      dir: backupSettings(config).dir,
      position: () => hub.state.position,
      secret: await sharedLog.secret(),
      first: () => sharedLog.first(),
      makeBackup: () => backups.make(),
    })
  const hubs = new Hubs({
    ...{
      name: config.hubName,
      isShared: config.journal !== undefined,
      state: hub.state,
      board: hub.board,
      duty: hub.duty,
    },
    apart: () => hub.apart,
    submit: command => hub.submit(command),
    ways: () => ({
      url: ownAddress(reach.url, reach.listening(), reach.identity !== undefined),
      ssh: reach.ssh,
      hubKey: reach.identity?.hubKey,
      snapshot: snapshots?.offset,
    }),
  })
  cleanup.add(() => hubs.close())
  hub.onHubsChanged(() => hubs.changed())
  if (sharedLog && config.journal) {
    const trimming = new Trimming({
      log: sharedLog,
      room: new EtcdRoom(etcdAccess(config.journal)),
      duty: hub.duty,
      everyMs: trimEveryMs,
      hubs: () => hubs.snapshots,
      isLive: name => name === config.hubName || hub.board.peers.has(name),
      makeBackup: () => backups.make(),
      onFull: isFull =>
        isFull
          ? log.error('etcd has no room left: its quota is full, and nothing is stored until room was made')
          : log.info('etcd has room again'),
      onTrimmed: upTo => log.info({ upTo }, 'records that every hub has in a snapshot were removed from the log'),
      onError: err =>
        log.warn({ err }, 'room could not be made in etcd; docs/three-hubs.md says how it is done by hand'),
    })
    cleanup.add(() => trimming.close())
  }
  const announce = () => {
    void hubs.announce()
    if (!reach.identity) return
    const urls = addressesForPeers(reach.url, reach.listening())
    hub.board.put(peerTopic, peerValue({ urls, hubKey: reach.identity.hubKey }))
  }
  return { hubs, snapshots, announce }
}
