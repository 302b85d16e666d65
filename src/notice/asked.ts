import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SessionDir } from './session-dir.ts'

/**
 * Which messages a session has sent that want an answer. On disk, because two MCP servers of ours may run in one session, and
 * because the machine's other sessions leave the answer to the one that asked.
 */

/** Notes that this session has asked by message `id`. */
export function noteAsked(dir: SessionDir, id: string): void {
  mkdirSync(dir.file('asked'), { recursive: true, mode: 0o700 })
  writeFileSync(join(dir.file('asked'), id), '', { mode: 0o600 })
}

/** Whether this session has asked by message `id`. */
export function hasAsked(dir: SessionDir, id: string | undefined): boolean {
  return id !== undefined && existsSync(join(dir.file('asked'), id))
}

/** Notes that this session has asked all that the session of `before` has: its conversation goes on here. */
export function inheritAsked(dir: SessionDir, before: SessionDir): void {
  if (!existsSync(before.file('asked'))) return
  for (const id of readdirSync(before.file('asked'))) if (!hasAsked(dir, id)) noteAsked(dir, id)
}
