import { existsSync, mkdirSync, readdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { SessionDir } from './session-dir.ts'

/**
 * `asked/`: ids of the questions that a session has sent, an empty file each. They are on disk because two of our MCP servers may run in
 * one session, and because the machine's other sessions leave an answer to the session that asked.
 */

/** Records that this session sent question `id`. */
export function noteAsked(dir: SessionDir, id: string): void {
  mkdirSync(dir.file('asked'), { recursive: true, mode: 0o700 })
  writeFileSync(join(dir.file('asked'), id), '', { mode: 0o600 })
}

/** Reports whether this session sent question `id`. */
export function hasAsked(dir: SessionDir, id: string | undefined): boolean {
  return id !== undefined && existsSync(join(dir.file('asked'), id))
}

/** Copies the questions of the session of `before`, whose conversation continues here. */
export function inheritAsked(dir: SessionDir, before: SessionDir): void {
  if (!existsSync(before.file('asked'))) return
  for (const id of readdirSync(before.file('asked'))) if (!hasAsked(dir, id)) noteAsked(dir, id)
}
