import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Activity } from '../protocol/activity.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import { checkedOut } from './branch.ts'
import type { SessionDir } from './session-dir.ts'
import type { SessionWatch } from './session-watch.ts'
import { readStatusLine } from './status-line.ts'

interface ActivityParts {
  dir: SessionDir
  instance: string | undefined
  watch: Pick<SessionWatch, 'doing' | 'prompt'>
  /** Time by which the hub's clock is ahead of ours, in ms. */
  clockOffsetMs: number
}

/** Returns the activity that a session working in `cwd` shares, without any part that cannot be read. */
export function activityOf({ dir, instance, watch, clockOffsetMs }: ActivityParts, cwd: string): Activity {
  const at = (time: number) => timeOf(time + clockOffsetMs)
  const { doing, prompt } = watch
  const status = readStatusLine(dir, instance)
  // A damaged file may hold an invalid time.
  const since = doing && orNothing(() => at(doing.since))
  return {
    ...orNothing(() => checkedOut(cwd)),
    // A session with an open prompt or question counts as idle.
    ...(since && (doing.activity === 'busy' ? { busySince: since } : { idleSince: since })),
    ...(status && orNothing(() => ({ status: status.text, statusSetAt: at(status.at) }))),
    ...(prompt && orNothing(() => ({ prompt: { ...prompt, since: at(prompt.since) } }))),
  }
}

/**
 * Returns a time as ISO 8601. Throws for one that the hub does not accept: years from 10,000 on have another form (ECMA-262, "Expanded
 * Years").
 */
function timeOf(ms: number): string {
  const text = new Date(ms).toISOString()
  if (text.length > '2026-01-01T00:00:00.000Z'.length) throw new RangeError(`${text} is not in the years 0 to 9999.`)
  return text
}

/** Reports whether config.json lets others see the activity of sessions here: any `shareActivity` but `true` forbids it. Read each time. */
export function sharesActivity(home: string): boolean {
  const config = orNothing(() => JSON.parse(readFileSync(join(home, 'config.json'), 'utf8')) as Record<string, unknown>)
  return config !== undefined && (config.shareActivity === undefined || config.shareActivity === true)
}

/** Returns the error for a status line on a machine that does not share activity. */
export function notShared(): ClaudeNetError {
  return new ClaudeNetError(
    'forbidden',
    'This machine does not share what its sessions work on, so no line was set.',
    'Its user switched that off: shareActivity in config.json.',
  )
}

function orNothing<T>(read: () => T): T | undefined {
  try {
    return read()
  } catch {
    return undefined
  }
}
