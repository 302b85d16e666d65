import { closeSync, openSync, readSync, writeFileSync } from 'node:fs'

/** Size of the chunks that are copied, in bytes. */
const chunkBytes = 1024 * 1024

/** Copies all of an open file into a new one. Throws `EEXIST` when anything exists at `path`, even a link. */
export function copyInto(source: number, path: string, mode: number): void {
  const target = openSync(path, 'wx', mode)
  try {
    const chunk = Buffer.allocUnsafe(chunkBytes)
    for (let at = 0; ; ) {
      const length = readSync(source, chunk, 0, chunkBytes, at)
      if (length === 0) return
      writeFileSync(target, chunk.subarray(0, length))
      at += length
    }
  } finally {
    closeSync(target)
  }
}
