import { fstatSync, readSync } from 'node:fs'
import { crc32 } from 'node:zlib'
import type { ErrorCode } from '../../protocol/errors.ts'
import type { Entry } from '../state/commands.ts'
import { isTime } from '../state/timestamp.ts'

/**
 * The tail of a backup: a file of lines, `LENGTH CRC JSON`. LENGTH is that of JSON in bytes; CRC is the CRC-32 of JSON, in hex, which
 * continues from the previous line, so that a missing or misplaced line is detected as well as a changed one.
 *
 *   {"tail": 1, …}   the first line: the tail begins behind this place of the history
 *   {"epoch": …}     a start of the hub: what follows is of this epoch
 *   {"entry": …}     an entry, with the code of its refusal where it was refused; their seqs have no gap
 *   {"matches": …}   what the next backup found the store to be at an earlier place of this tail
 *   {"end": …}       the last line, once the next backup has a tail of its own
 */
export type TailRecord =
  | TailStart
  | { epoch: string }
  | { entry: Entry; refused?: ErrorCode }
  | { matches: TailMatch }
  | { end: number }

/** Start of a tail: the store's place when its backup was begun. `tail` is the version of the format. */
export interface TailStart {
  tail: 1
  epoch: string
  seq: number
  schema: number
}

/** The fingerprint and the chain of outcomes of the live store at `seq`, computed by the program of this version. */
export interface TailMatch {
  seq: number
  schema: number
  version: string
  fingerprint: string
  outcomes?: string
}

/** Longest JSON of a line, in bytes; a larger LENGTH is damage. */
const maxLineBytes = 256 * 1024 * 1024

/** Bytes read at a time. */
const chunkBytes = 256 * 1024

/** The `LENGTH CRC ` in front of JSON. */
const headPattern = /^(\d{1,9}) ([0-9a-f]{8}) /
const maxHeadBytes = 19

/** Encodes one line; returns it with the CRC that the next one continues. */
export function encodeRecord(record: TailRecord, crc: number): { line: Buffer; crc: number } {
  const json = Buffer.from(JSON.stringify(record))
  const next = crc32(json, crc)
  const head = `${json.length} ${next.toString(16).padStart(8, '0')} `
  return { line: Buffer.concat([Buffer.from(head), json, newline]), crc: next }
}

const newline = Buffer.from('\n')

/** Thrown for a line that differs from what was written. All before byte `at` is good. */
export class TailDamage extends Error {
  override name = 'TailDamage'
  readonly at: number

  constructor(at: number) {
    super(`the line at byte ${at} is damaged`)
    this.at = at
  }
}

/** End of the good lines of a tail, and the bytes of an unfinished line after it. */
export interface TailEnd {
  bytes: number
  crc: number
  tornBytes: number
}

/**
 * Yields every record of an open tail, in order, and returns its end. Counts a line that a kill or a power cut left unfinished at the end
 * of the file, without an error. Throws `TailDamage` at any other damaged line.
 */
export function* readTail(handle: number): Generator<TailRecord, TailEnd> {
  let [at, crc] = [0, 0]
  let rest: Buffer = Buffer.alloc(0)
  let readTo = 0
  /** Reads until `rest` has this many bytes or the file ends. */
  const fill = (bytes: number) => {
    const parts = [rest]
    for (let have = rest.length; have < bytes; ) {
      const chunk = Buffer.allocUnsafe(Math.max(chunkBytes, bytes - have))
      const length = readSync(handle, chunk, 0, chunk.length, readTo)
      if (length === 0) break
      readTo += length
      have += length
      parts.push(chunk.subarray(0, length))
    }
    if (parts.length > 1) rest = Buffer.concat(parts)
  }
  for (;;) {
    fill(maxHeadBytes)
    if (rest.length === 0) return { bytes: at, crc, tornBytes: 0 }
    const [head, length, sum] = headPattern.exec(rest.toString('latin1', 0, maxHeadBytes)) ?? []
    const size = head === undefined ? 0 : head.length + Number(length) + 1
    if (head !== undefined && size <= maxLineBytes) fill(size)
    const json = head === undefined || rest.length < size ? undefined : rest.subarray(head.length, size - 1)
    if (!json || !sum || crc32(json, crc) !== Number.parseInt(sum, 16)) {
      fill(fstatSync(handle).size - at)
      if (isTorn(rest)) return { bytes: at, crc, tornBytes: rest.length }
      throw new TailDamage(at)
    }
    if (rest[size - 1] !== newline[0]) {
      fill(fstatSync(handle).size - at)
      if (rest.subarray(size - 1).every(byte => byte === 0)) return { bytes: at, crc, tornBytes: rest.length }
      throw new TailDamage(at)
    }
    const record = recordIn(json)
    if (!record) throw new TailDamage(at)
    crc = crc32(json, crc)
    at += size
    rest = rest.subarray(size)
    yield record
  }
}

/** Parses the record of a line; returns undefined for an invalid one, even if its checksum is right. */
function recordIn(json: Buffer): TailRecord | undefined {
  let record: Partial<{ entry: Partial<Entry>; matches: Partial<TailMatch>; end: number }> | null
  try {
    record = JSON.parse(json.toString())
  } catch {
    return undefined
  }
  if (typeof record !== 'object' || record === null) return undefined
  const { entry, matches, end } = record
  const isEntry = (entry: Partial<Entry> | null | undefined) =>
    Number.isSafeInteger(entry?.seq) &&
    Number.isSafeInteger(entry?.time) &&
    isTime(entry!.time!) &&
    typeof entry?.command?.type === 'string'
  const isRecord =
    ('entry' in record ? isEntry(entry) : true) &&
    ('matches' in record ? Number.isSafeInteger(matches?.seq) : true) &&
    ('end' in record ? Number.isSafeInteger(end) : true)
  return isRecord ? (record as TailRecord) : undefined
}

/**
 * Reports whether these bytes, up to the end of the file, may be the beginning of one line, followed by zeros that a file system may leave
 * after a power cut. JSON has no line feed, so a line with one was complete.
 */
function isTorn(bytes: Buffer): boolean {
  let end = bytes.length
  while (end > 0 && bytes[end - 1] === 0) end--
  const written = bytes.subarray(0, end)
  return (
    !written.includes(newline[0]!) && /^(\d{1,9}( ([0-9a-f]{1,8}( |$)|$)|$)|$)/.test(written.toString('latin1', 0, 20))
  )
}
