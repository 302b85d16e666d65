import { existsSync, mkdtempSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** A fresh directory in memory, where the system has one: the simulation plays the disk itself, and waits for none. */
export function memoryDir(): string {
  return mkdtempSync(join(existsSync('/dev/shm') ? '/dev/shm' : tmpdir(), 'claude-net-sim-'))
}
