import { closeSync, fsyncSync, openSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { syncDirectory } from './state/database.ts'

/** Replaces `path` by `text` (mode 0600): after a crash the file is the old one or the new one, never half of it. */
export function writeDurably(path: string, text: string): void {
  const temporary = `${path}.new`
  const handle = openSync(temporary, 'w', 0o600)
  try {
    writeSync(handle, text)
    fsyncSync(handle)
  } finally {
    closeSync(handle)
  }
  renameSync(temporary, path)
  syncDirectory(dirname(path))
}
