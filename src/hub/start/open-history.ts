import type { Logger } from 'pino'
import type { ClaudeNetError } from '../../protocol/errors.ts'
import type { HubConfig } from '../config/hub-config.ts'
import { etcdAccess } from '../config/journal.ts'
import type { Verdict } from '../journal/agreement.ts'
import { EtcdLog } from '../journal/etcd/etcd-log.ts'
import { explainEtcdError } from '../journal/etcd/explain-etcd-error.ts'
import { EtcdGateway } from '../journal/etcd/gateway.ts'
import { HeldName } from '../journal/etcd/held-name.ts'
import { LeasedKeys } from '../journal/etcd/leased-keys.ts'
import { openAlone, openShared } from '../open-hub.ts'
import { SharedBoard } from '../sharing/board.ts'
import type { Claim } from '../sharing/claim.ts'
import { findClientFile } from './client-file.ts'
import { takeNeededSnapshot } from './needed-snapshot.ts'

/**
 * Opens the history of this hub alone, or the one it shares where hub.json names a log. `onLost` is called when another process takes
 * this hub's name. The caller closes `held` after all else: the next hub of this name starts when it is free.
 */
export async function openHistory(
  { journal, data: dataDir, hubName }: HubConfig,
  logger: Logger,
  claim: Claim | undefined,
  onLost: (error: ClaudeNetError) => void,
) {
  if (!journal) return { ...openAlone({ dataDir }), log: undefined, held: undefined }
  const access = etcdAccess(journal)
  const gateway = new EtcdGateway(access)
  let held: HeldName | undefined
  try {
    const log = await EtcdLog.open(gateway, journal.name)
    held = await HeldName.take({
      ...{ gateway: new EtcdGateway(access), name: journal.name, hub: hubName, dataDir },
      onLost,
    })
    await takeNeededSnapshot(log, {
      ...{ dataDir, hub: hubName, name: journal.name, snapshots: journal.snapshots },
      ...{ program: findClientFile(), log: logger },
    })
    const opened = await openShared(
      { log, name: journal.name, hub: hubName },
      { dataDir, staleReadsS: journal.staleReadsS, leads: () => claim?.isMine ?? true },
    )
    // Not over the log's gateway, which is closed with the log.
    const keys = new EtcdGateway(access)
    const board = new SharedBoard(hubName, hear => new LeasedKeys(keys, `/claude-net/${journal.name}/board/`, hear))
    return { ...opened, board, log, held }
  } catch (error) {
    gateway.close()
    await held?.close()
    throw explainEtcdError(error, journal.name)
  }
}

/** Logs whether the hubs of the history have reached the same outcomes. That this hub is outvoted is logged as it stops. */
export function logVerdict(log: Logger, verdict: Verdict, differing: readonly string[]): void {
  if (verdict === 'tied')
    log.error(
      { differing },
      'hubs of this history have come to other outcomes, and no side has a majority: nothing is taken',
    )
  if (verdict === 'majority')
    log.error({ differing }, 'hubs of this history have come to other outcomes than the majority')
  if (verdict === 'agrees') log.info('the hubs of this history agree again')
}

/** Returns a log line for a change of the hub that acts for all hubs of the history. */
export function claimInWords({ isMine }: Claim): string {
  return isMine
    ? 'this hub acts for all hubs of its history: ticks, scheduled messages, Telegram, posts of webhooks'
    : 'this hub no longer acts for the other hubs of its history'
}
