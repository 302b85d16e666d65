/**
 * Tables that are local to each hub: indexes that are filled after the commits, times at which it has seen members, and its position in the
 * log. Hubs that have applied the same entries differ in these and in nothing else. Every table that is not in this list belongs to the
 * history, and only `apply` writes to it. `apply` also removes messages that are over from the indexes.
 */
export const hubLocalTables: ReadonlySet<string> = new Set([
  'answer',
  'conversation',
  'history_position',
  'last_seen',
  'own_admin_token',
  'own_log',
  'past_epoch',
  'project_last_seen',
  'received',
  'sent',
  'token_use',
  'unread',
  'unread_position',
  'words_gone',
])

/** Columns that are local to each hub, by table. */
const hubLocalColumns: Readonly<Record<string, readonly string[]>> = {
  position: ['epoch', 'log_offset', 'log_hash', 'outcomes'],
}

export function isHubLocal(table: string, column: string): boolean {
  return hubLocalTables.has(table) || (hubLocalColumns[table]?.includes(column) ?? false)
}
