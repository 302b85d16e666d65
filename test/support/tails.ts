import { closeSync, copyFileSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fingerprintAs, shapeOfBackup } from '../../src/hub/keeping/check-backup.ts'
import { findTail, openTail } from '../../src/hub/keeping/check-tail.ts'
import { replayTail } from '../../src/hub/keeping/replay-tail.ts'
import { restore } from '../../src/hub/keeping/restore.ts'
import type { BackupReport } from '../../src/protocol/backup.ts'
import { tempDir } from './temp.ts'

/** Returns the content of a store, without the tables local to one hub. */
export function fingerprintOfStore(file: string): string {
  return fingerprintAs(file, shapeOfBackup(file))
}

/** Restores into an empty directory; returns the content of the store and its last position. */
export function restoredTo(
  backup: Pick<BackupReport, 'file'>,
  log: string,
  to: Parameters<typeof restore>[2] & object,
) {
  const dir = join(tempDir('restored'), 'data')
  mkdirSync(dir)
  const { tail } = restore(backup.file, dir, { log, ...to })
  return { fingerprint: fingerprintOfStore(join(dir, 'hub.db')), seq: tail!.seq, entries: tail!.entries }
}

/** Does the same in a copy of the backup, which is changed in place. */
export function replayedTo({ file, epoch, seq: base }: BackupReport, log: string, seq: number) {
  const copy = join(tempDir('replayed'), 'hub.db')
  copyFileSync(file, copy)
  const tail = findTail(log, { epoch, seq: base })!
  const handle = openTail(tail)
  const { entries } = replayTail({ handle, file: tail }, copy, { seq }, { compare: false })
  closeSync(handle)
  return { fingerprint: fingerprintOfStore(copy), entries }
}
