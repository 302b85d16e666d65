/** Whether SQLite gave up for want of space: nothing was written, reads go on, and writes will again once there is room. */
export function isDiskFull(error: unknown): boolean {
  return sqliteCode(error) === 13
}

/** Whether a file could not be opened, it may be for want of space: SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN. */
export function hasNoRoom(error: unknown): boolean {
  return [10, 13, 14].includes(sqliteCode(error) ?? 0)
}

/** Whether SQLite found its file inconsistent (SQLITE_CORRUPT, SQLITE_NOTADB). */
export function isDamage(error: unknown): boolean {
  return [11, 26].includes(sqliteCode(error) ?? 0)
}

/** Whether a read failed at some rows, while others may be readable: damage, or a disk that does not return a block (SQLITE_IOERR). */
export function isUnreadable(error: unknown): boolean {
  return isDamage(error) || sqliteCode(error) === 10
}

/** The primary result code of an error that SQLite raised (sqlite.org/rescode.html), or undefined. */
export function sqliteCode(error: unknown): number | undefined {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  return code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' ? errcode & 0xff : undefined
}
