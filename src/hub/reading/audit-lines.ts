import type { AuditAnswer, AuditLine, AuditQuery } from '../../protocol/audit.ts'
import type { Database } from '../state/store/database.ts'
import { timestamp } from '../state/timestamp.ts'

/** Name of the audit's file in the data directory. */
export const auditFile = 'audit.db'

/** Returns the lines of the audit that match the filters, newest first, and the number of further ones. `check` may throw when it takes too long. */
export function auditLines(
  db: Database,
  { actor, action, target, since, before, limit }: AuditQuery,
  check: () => void,
): AuditAnswer {
  const given: [string, string | number | undefined][] = [
    ['actor = ?', actor],
    ['action = ?', action],
    ['target = ?', target],
    ['at >= ?', since === undefined ? undefined : Date.parse(since)],
    ['id < ?', before],
  ]
  const filters = given.filter(([, value]) => value !== undefined)
  const values = filters.map(([, value]) => value!)
  const where = ['1', ...filters.map(([sql]) => sql)].join(' and ')
  const rows = db.all<Omit<AuditLine, 'at'> & { at: number }>(
    `select id, at, actor, token_id as tokenId, address, action, target, detail, result, count from audit
     where ${where} order by id desc limit ?`,
    ...values,
    limit,
  )
  check()
  const total = db.get<{ n: number }>(`select count(*) as n from audit where ${where}`, ...values)!.n
  return { lines: rows.map(row => ({ ...row, at: timestamp(row.at) })), more: total - rows.length }
}
