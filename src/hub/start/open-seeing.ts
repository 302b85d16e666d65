import { join } from 'node:path'
import type { Logger } from 'pino'
import { auditFile } from '../reading/audit-lines.ts'
import { Audit } from '../seeing/audit.ts'
import { Metrics } from '../seeing/metrics.ts'
import { Watch } from '../seeing/watch.ts'
import type { Cleanup } from './cleanup.ts'

/** Opens what an admin sees of a hub: its metrics and its audit. */
export function openSeeing(dataDir: string, log: Logger, cleanup: Cleanup) {
  const metrics = new Metrics()
  cleanup.add(() => metrics.close())
  const audit = new Audit(join(dataDir, auditFile), {
    onError: err => log.error({ err }, 'the audit cannot be written'),
    onBegunAnew: err =>
      log.error({ err }, 'the file of the audit was removed, replaced or damaged; the hub has opened it anew'),
  })
  cleanup.add(() => audit.close())
  return { metrics, audit, watch: new Watch(metrics, audit) }
}
