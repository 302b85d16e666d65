import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { onTestFailed, onTestFinished } from 'vitest'

/** Creates a directory for the running test. It is removed when the test passes, and kept and named when it fails. */
export function tempDir(purpose = 'test'): string {
  const dir = mkdtempSync(join(tmpdir(), `claude-net-${purpose}-`))
  let keep = false
  onTestFailed(() => {
    keep = true
    console.log(`kept for a look: ${dir}`)
  })
  onTestFinished(() => {
    // A process that the test has just ended may write a last file meanwhile.
    if (!keep) rmSync(dir, { recursive: true, force: true, maxRetries: 10, retryDelay: 100 })
  })
  return dir
}
