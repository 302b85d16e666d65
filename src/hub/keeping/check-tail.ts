import { closeSync, openSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { backupOfTail } from '../state/store/backup-names.ts'
import { timestamp } from '../state/timestamp.ts'
import { readTail, TailDamage, type TailMatch, type TailStart } from './tail-format.ts'

/** What a tail holds, found out by reading all of it. */
export interface TailReport {
  file: string
  bytes: number
  /** The place in the history behind which it begins. */
  epoch: string
  after: number
  /** The last entry in it, and when that was; null when it has none. */
  seq: number
  lastAt: string | null
  entries: number
  /** Bytes at the end of a line that a kill or a power cut left unfinished: they count for nothing. */
  tornBytes: number
  /** Whether the next backup ended it; else it was still written, or its hub was killed. */
  isEnded: boolean
}

export interface TailScan extends Omit<TailReport, 'file'> {
  start: TailStart
  matches: TailMatch[]
  /** What is wrong behind `seq`. */
  damage: string | undefined
}

/** Reads all of an open tail. What is damaged ends it, and is said in `damage`. Throws `invalid` for what is no tail. */
export function scanTail(handle: number, file: string): TailScan {
  const records = readTail(handle)
  const start = firstOf(records)
  if (!start) throw noTail(file)
  const scan: TailScan = {
    ...{ start, epoch: start.epoch, after: start.seq, seq: start.seq, lastAt: null, entries: 0, bytes: 0 },
    ...{ tornBytes: 0, isEnded: false, matches: [], damage: undefined },
  }
  try {
    for (;;) {
      const { value, done } = records.next()
      if (done) return { ...scan, bytes: value.bytes, tornBytes: value.tornBytes }
      if ('entry' in value) {
        if (value.entry.seq !== scan.seq + 1) return { ...scan, damage: `entry ${scan.seq + 1} is missing` }
        scan.seq++
        scan.entries++
        scan.lastAt = timestamp(value.entry.time)
      } else if ('matches' in value) scan.matches.push(value.matches)
      else if ('end' in value) {
        scan.isEnded = true
        if (value.end > scan.seq)
          return { ...scan, damage: `the entries from ${scan.seq + 1} to ${value.end} are missing` }
      }
    }
  } catch (error) {
    if (!(error instanceof TailDamage)) throw error
    return { ...scan, bytes: error.at, damage: error.message }
  }
}

/** The same for a file that must be good. Throws `invalid`, saying what is damaged and how far it can be used. */
export function checkTail(file: string): TailReport {
  const handle = openTail(file)
  try {
    const { start: _, matches: __, damage, ...report } = scanTail(handle, file)
    if (damage !== undefined) throw damaged(file, damage, report.seq)
    return { file: resolve(file), ...report }
  } finally {
    closeSync(handle)
  }
}

export function damaged(file: string, damage: string, seq: number): ClaudeNetError {
  return new ClaudeNetError(
    'invalid',
    `The tail ${file} is damaged: ${damage}.`,
    `What stands before that is good: claude-net restore BACKUP --to ${seq} goes that far.`,
  )
}

/** Whether a file is named as a tail is. */
export function isTail(file: string): boolean {
  return file.endsWith('.log')
}

/** Where a tail begins; undefined for what is none. */
export function startOfTail(file: string): TailStart | undefined {
  const handle = openTail(file)
  try {
    return firstOf(readTail(handle))
  } finally {
    closeSync(handle)
  }
}

/** The tail in `dir` of the backup that ends at this place of the history; undefined when it has none there. */
export function findTail(dir: string, { epoch, seq }: { epoch: string; seq: number }): string | undefined {
  const found = readdirSync(dir)
    .filter(name => backupOfTail(name) !== undefined)
    .flatMap(name => {
      const start = startOfTail(join(dir, name))
      // It begins when its backup does, and entries may come until that has copied the store. So the tail before it may reach here too.
      return start && start.epoch === epoch && start.seq <= seq ? [{ name, after: start.seq }] : []
    })
    .sort((a, b) => b.after - a.after || (a.name < b.name ? 1 : -1))
  return found[0] && join(dir, found[0].name)
}

export function openTail(file: string): number {
  try {
    return openSync(file, 'r')
  } catch (error) {
    throw new ClaudeNetError(
      'not_found',
      `The tail ${file} cannot be read: ${(error as Error).message}`,
      'Name another.',
    )
  }
}

/** The first record, when a tail begins with it. */
function firstOf(records: ReturnType<typeof readTail>): TailStart | undefined {
  try {
    const { value, done } = records.next()
    return !done && 'tail' in value && value.tail === 1 ? value : undefined
  } catch (error) {
    if (error instanceof TailDamage) return undefined
    throw error
  }
}

function noTail(file: string): ClaudeNetError {
  return new ClaudeNetError(
    'invalid',
    `${file} is no tail of a backup.`,
    'Tails are the files hub-….log in backup.logTo.',
  )
}
