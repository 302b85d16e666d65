import { closeSync, openSync, readdirSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { backupOfTail } from '../state/store/backup-names.ts'
import { timestamp } from '../state/timestamp.ts'
import { readTail, TailDamage, type TailMatch, type TailStart } from './tail-format.ts'

/** Contents of a tail, after reading all of it. */
export interface TailReport {
  file: string
  bytes: number
  /** The place in the history after which it begins. */
  epoch: string
  after: number
  /** Its last entry, and that entry's time; null when it has none. */
  seq: number
  lastAt: string | null
  entries: number
  /** Bytes of a last line that a kill or a power cut left unfinished: they are ignored. */
  tornBytes: number
  /** Whether the next backup ended it; otherwise it is still written, or its hub was killed. */
  isEnded: boolean
}

export interface TailScan extends Omit<TailReport, 'file'> {
  start: TailStart
  matches: TailMatch[]
  /** The damage after `seq`, if there is any. */
  damage: string | undefined
}

/** Reads all of an open tail, up to the first damage, which `damage` describes. Throws `invalid` for a file that is not a tail. */
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

/** Checks a whole tail. Throws `invalid` with the damage and how far it can be used. */
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
    `All before that is good: claude-net restore BACKUP --to ${seq} goes that far.`,
  )
}

/** Reports whether a file has the name of a tail. */
export function isTail(file: string): boolean {
  return file.endsWith('.log')
}

/** Returns where a tail begins; undefined for a file that is not a tail. */
export function startOfTail(file: string): TailStart | undefined {
  const handle = openTail(file)
  try {
    return firstOf(readTail(handle))
  } finally {
    closeSync(handle)
  }
}

/** Returns the tail in `dir` of the backup that ends at this place of the history; undefined when there is none. */
export function findTail(dir: string, { epoch, seq }: { epoch: string; seq: number }): string | undefined {
  const found = readdirSync(dir)
    .filter(name => backupOfTail(name) !== undefined)
    .flatMap(name => {
      const start = startOfTail(join(dir, name))
      // A tail begins when its backup does, and entries are added until the store is copied. So the previous tail may reach this place too.
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
      'Name a different one.',
    )
  }
}

/** Returns the first record, if it is the start of a tail. */
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
    `${file} is not the tail of a backup.`,
    'Tails are the files hub-….log in backup.logTo.',
  )
}
