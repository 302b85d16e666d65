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
  /** How far the hub's clock is ahead of ours, in ms. */
  clockOffsetMs: number
}

/** What a session that works in `cwd` says of itself. What cannot be read is left out. */
export function activityOf({ dir, instance, watch, clockOffsetMs }: ActivityParts, cwd: string): Activity {
  const at = (time: number) => timeOf(time + clockOffsetMs)
  const { doing, prompt } = watch
  const status = readStatusLine(dir, instance)
  // A time that a broken file has is none.
  const since = doing && orNothing(() => at(doing.since))
  return {
    ...orNothing(() => checkedOut(cwd)),
    // Whoever waits behind an open prompt or a question does nothing either.
    ...(since && (doing.activity === 'busy' ? { busySince: since } : { idleSince: since })),
    ...(status && orNothing(() => ({ status: status.text, statusSetAt: at(status.at) }))),
    ...(prompt && orNothing(() => ({ prompt: { ...prompt, since: at(prompt.since) } }))),
  }
}

/** Throws for a time of which the hub takes none: the years from 10,000 on have another form (ECMA-262, "Expanded Years"). */
function timeOf(ms: number): string {
  const text = new Date(ms).toISOString()
  if (text.length > '2026-01-01T00:00:00.000Z'.length) throw new RangeError(`${text} is no time of these days.`)
  return text
}

/** Whether config.json lets others see what sessions here work on: anything but `true` in `shareActivity` is a no. Read each time. */
export function sharesActivity(home: string): boolean {
  const config = orNothing(() => JSON.parse(readFileSync(join(home, 'config.json'), 'utf8')) as Record<string, unknown>)
  return config !== undefined && (config.shareActivity === undefined || config.shareActivity === true)
}

/** The refusal of a line that nobody would see. */
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
