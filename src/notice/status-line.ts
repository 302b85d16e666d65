import { rmSync } from 'node:fs'
import { isStatusLine, maxLine } from '../protocol/activity.ts'
import { visibleLine } from '../text/visible.ts'
import type { SessionDir } from './session-dir.ts'

/** `status.json`: the status line of a session, set by its Claude or its user. */
interface StatusFile {
  /** Distinguishes this Claude Code from an earlier one with the same key. */
  instance?: string
  text: string
  /** Time at which it was set, ms since 1970. */
  at: number
}

const name = 'status.json'

/** Sets the line of a session, truncated and with hidden characters made visible; '' removes it. Returns the line as it was stored. */
export function setStatusLine(dir: SessionDir, instance: string | undefined, text: string): string {
  const line = visibleLine(text.trim(), maxLine)
  if (line === '') rmSync(dir.file(name), { force: true })
  else dir.write(name, { ...(instance && { instance }), text: line, at: Date.now() } satisfies StatusFile)
  return line
}

/** Returns the line of this very Claude Code; undefined if there is none. */
export function readStatusLine(dir: SessionDir, instance: string | undefined): StatusFile | undefined {
  const file = dir.read<Partial<StatusFile>>(name)
  if (typeof file?.text !== 'string' || typeof file.at !== 'number' || !isStatusLine(file.text)) return undefined
  if (instance && file.instance && file.instance !== instance) return undefined
  return file as StatusFile
}
