/**
 * What each hub keeps for itself in its store: indexes that are filled behind the commits, what it has seen, and its own place in the
 * log. Hubs that have applied the same entries differ in these and in nothing else. This is the one list that says so: a table that
 * is not in it belongs to the history, and only `apply` writes to it. From the indexes apply removes what is over.
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

/** The same of columns, by their table. */
const hubLocalColumns: Readonly<Record<string, readonly string[]>> = {
  position: ['epoch', 'log_offset', 'log_hash', 'outcomes'],
}

export function isHubLocal(table: string, column: string): boolean {
  return hubLocalTables.has(table) || (hubLocalColumns[table]?.includes(column) ?? false)
}
