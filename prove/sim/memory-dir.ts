import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/**
 * Creates a directory, in memory if the system supports that: the simulation models the disk itself, and should not wait for a real one.
 */
export function memoryDir(): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'claude-net-sim-'))
}
