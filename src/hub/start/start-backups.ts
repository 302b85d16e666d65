import { join } from 'node:path'
import type { Logger } from 'pino'
import { backupSettings, type HubConfig } from '../config/hub-config.ts'
import { databaseFile, type Hub } from '../hub.ts'
import { Backups } from '../keeping/backups.ts'
import { StoreChecks } from '../keeping/store-checks.ts'
import { Tails } from '../keeping/tails.ts'
import type { Metrics } from '../seeing/metrics.ts'
import type { Cleanup } from './cleanup.ts'

/** Opens the tails of the backups, where hub.json names a directory for them. */
export function openTails(config: HubConfig, log: Logger): Tails | undefined {
  const { logTo: dir, logGiB, dir: backupDir } = backupSettings(config)
  if (dir === undefined) return undefined
  return new Tails({
    dir,
    backupDir,
    maxBytes: logGiB * 2 ** 30,
    onTrouble: err => {
      if (err)
        log.error(
          { err, dir },
          'the tail of the backup cannot be written; the hub continues, and makes a new backup as soon as possible',
        )
      else log.info({ dir }, 'the tail of the backup is written again')
    },
  })
}

export interface BackupsOptions {
  hub: Hub
  log: Logger
  metrics: Metrics
  tails: Tails | undefined
  /** The bundled client, which checks a store in a process of its own. */
  program: string
  /** Whether the store is checked now, and not only when its next check is due. */
  checkNow: boolean
  onMade: () => void
  cleanup: Cleanup
}

/** Starts the checks of the store and its backups. The caller closes the backups. */
export function startBackups(config: HubConfig, options: BackupsOptions): Backups {
  const { hub, log, metrics, tails, program, checkNow, onMade, cleanup } = options
  const source = join(config.data, databaseFile)
  const checks = new StoreChecks({
    ...{ hub, source, program },
    atOnce: checkNow,
    onError: err => log.error({ err }, 'the store could not be checked'),
  })
  cleanup.add(() => checks.close())
  const backups = new Backups({
    ...{ hub, source, program, tails },
    settings: backupSettings(config),
    onMade: ({ ms, report, error }) => {
      metrics.backupMade(error === undefined)
      if (error) log.error({ err: error }, 'a backup failed')
      else log.info({ ...report, ms: Math.round(ms) }, 'a backup was made')
      onMade()
    },
    onBadCopy: () => checks.checkSoon(),
  })
  metrics.backups = backups
  return backups
}
