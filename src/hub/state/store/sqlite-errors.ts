/** Reports whether SQLite failed for lack of space: nothing was written, reads still work, and writes will once there is room. */
export function isDiskFull(error: unknown): boolean {
  return sqliteCode(error) === 13
}

/** Reports whether a file could not be opened, possibly for lack of space: SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN. */
export function hasNoRoom(error: unknown): boolean {
  return [10, 13, 14].includes(sqliteCode(error) ?? 0)
}

/** Reports whether SQLite found its file inconsistent (SQLITE_CORRUPT, SQLITE_NOTADB). */
export function isDamage(error: unknown): boolean {
  return [11, 26].includes(sqliteCode(error) ?? 0)
}

/**
 * Reports whether a read failed at some rows while others may be readable: damage, or a disk that does not return a block (SQLITE_IOERR).
 */
export function isUnreadable(error: unknown): boolean {
  return isDamage(error) || sqliteCode(error) === 10
}

/** Returns the primary result code of an error that SQLite raised (sqlite.org/rescode.html), or undefined. */
export function sqliteCode(error: unknown): number | undefined {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown }
  return code === 'ERR_SQLITE_ERROR' && typeof errcode === 'number' ? errcode & 0xff : undefined
}
