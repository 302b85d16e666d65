import { closeSync, openSync, readSync } from 'node:fs'

/**
 * Most commits that a loss of power leaves behind the first incomplete frame. `Database` has one unsettled transaction at a time, and at
 * most one other commits before it is synced: two. After a kill they may still be unsynced when the next process appends its own first
 * commit and syncs all. Only a process that is killed between these two steps adds one more; four such kills in a row are allowed for.
 */
export const mostUnsynced = 6

/** Bytes of the header of the log, and of that of each frame (sqlite.org/fileformat2.html#the_write_ahead_log). */
const headerBytes = 32
const frameHeaderBytes = 24

/** The first four bytes of a log whose checksums read little-endian words; with the lowest bit set they read big-endian ones. */
const magic = 0x377f0682

/** Approximate part of the log that is in memory at a time, in bytes. */
const chunkBytes = 1024 * 1024

/** Two words: salts or a checksum. */
type Pair = readonly [number, number]

interface Scan {
  pageBytes: number
  isBigEndian: boolean
  /** Undefined when the header is damaged: each frame is then compared with the one before it. */
  salts: Pair | undefined
  /** The checksum that the first frame's continues. */
  sum: Pair
}

/**
 * Checks the log that a killed process has left beside the database at `path`, before SQLite opens it: SQLite ends it at the first frame
 * whose checksum is wrong, and ignores the rest silently. Returns a description of the damage; undefined when there is none, or a loss of
 * power explains it. Throws when the disk cannot read the log.
 *
 * The checksum of a frame continues the stored one of the frame before, so consecutive frames are recognized behind a bad one, too. Frames
 * that an earlier loss of power left behind the end, under newer frames, do not continue these: each such rest counts separately.
 */
export function damageOfLog(path: string): string | undefined {
  const log = open(`${path}-wal`)
  if (log === undefined) return undefined
  try {
    const header = Buffer.alloc(headerBytes)
    if (readFully(log, header, 0) < headerBytes) return undefined
    const scan = scanOf(header)
    if (scan) {
      const { whole, commits } = readFrames(log, scan)
      if (commits <= mostUnsynced) return undefined
      return `frame ${whole + 1} of its log was changed after it was written, and at least ${commits} commits follow it`
    }
    const pageBytes = pageBytesOf(path)
    for (const isBigEndian of [false, true]) {
      const sum = pairAt(header, 24)
      const { commits } = readFrames(log, { pageBytes, isBigEndian, salts: undefined, sum })
      if (commits > mostUnsynced)
        return `the header of its log was changed after it was written, and at least ${commits} commits follow it`
    }
    return undefined
  } finally {
    closeSync(log)
  }
}

/** Returns the parameters in a header for its frames; undefined when it is damaged. */
function scanOf(header: Buffer): Scan | undefined {
  const first = header.readUInt32BE(0)
  const isBigEndian = (first & 1) === 1
  const sum = pairAt(header, 24)
  const found = addWords(wordsOf(header), 0, 6, [0, 0], isBigEndian)
  if ((first & ~1) !== magic || !isSame(found, sum)) return undefined
  return { pageBytes: header.readUInt32BE(8), isBigEndian, salts: pairAt(header, 16), sum }
}

/**
 * Returns the number of good frames from the start, and the number of commits in the longest run of consecutive frames behind the first bad
 * one. With a damaged header, all frames are behind it.
 */
function readFrames(log: number, { pageBytes, isBigEndian, ...start }: Scan): { whole: number; commits: number } {
  const frameBytes = frameHeaderBytes + pageBytes
  const chunk = Buffer.from(new ArrayBuffer(Math.max(1, Math.floor(chunkBytes / frameBytes)) * frameBytes))
  const words = wordsOf(chunk)
  let { sum } = start
  let before = start.salts
  let whole = 0
  let hasEnded = start.salts === undefined
  let [row, commits] = [0, 0]
  for (let at = headerBytes; ; at += chunk.length) {
    const read = readFully(log, chunk, at)
    for (let offset = 0; offset + frameBytes <= read; offset += frameBytes) {
      const salts = pairAt(chunk, offset + 8)
      const stored = pairAt(chunk, offset + 16)
      const first = offset / 4
      const ofHeader = addWords(words, first, first + 2, sum, isBigEndian)
      const found = addWords(words, first + 6, first + frameBytes / 4, ofHeader, isBigEndian)
      const isWhole =
        chunk.readUInt32BE(offset) !== 0 && isSame(salts, start.salts ?? before ?? salts) && isSame(found, stored)
      if (isWhole && !hasEnded) whole++
      else hasEnded = true
      if (!isWhole) row = 0
      else if (hasEnded && chunk.readUInt32BE(offset + 4) !== 0) commits = Math.max(commits, ++row)
      sum = stored
      before = salts
    }
    if (read < chunk.length) return { whole, commits }
  }
}

/** Returns SQLite's checksum over the words from `first` to before `end`, continued from `sum`. */
function addWords(words: Uint32Array, first: number, end: number, [a, b]: Pair, isBigEndian: boolean): Pair {
  const isSwapped = isBigEndian !== isMachineBigEndian
  let [x, y] = [a | 0, b | 0]
  for (let at = first; at < end; at += 2) {
    const [one, two] = [words[at]! | 0, words[at + 1]! | 0]
    x = (x + (isSwapped ? swapped(one) : one) + y) | 0
    y = (y + (isSwapped ? swapped(two) : two) + x) | 0
  }
  return [x >>> 0, y >>> 0]
}

const isMachineBigEndian = new Uint8Array(new Uint32Array([1]).buffer)[0] === 0

function swapped(word: number): number {
  return (word << 24) | ((word & 0xff00) << 8) | ((word >>> 8) & 0xff00) | (word >>> 24)
}

function pairAt(bytes: Buffer, at: number): Pair {
  return [bytes.readUInt32BE(at), bytes.readUInt32BE(at + 4)]
}

function isSame(one: Pair, other: Pair): boolean {
  return one[0] === other[0] && one[1] === other[1]
}

/** Returns `bytes` as words in the machine's byte order. */
function wordsOf(bytes: Buffer): Uint32Array {
  return new Uint32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)
}

/** Returns the page size in the header of the database, in bytes; the default when it has none. */
function pageBytesOf(path: string): number {
  const file = open(path)
  if (file === undefined) return 4096
  try {
    const field = Buffer.alloc(2)
    const bytes = readFully(file, field, 16) === 2 ? field.readUInt16BE() : 0
    if (bytes === 1) return 65_536
    return bytes >= 512 && (bytes & (bytes - 1)) === 0 ? bytes : 4096
  } finally {
    closeSync(file)
  }
}

/** Opens a file for reading; returns undefined when it does not exist. */
function open(path: string): number | undefined {
  try {
    return openSync(path, 'r')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}

/** Returns the number of bytes read: fewer than `into` has only at the end of the file. */
function readFully(file: number, into: Buffer, at: number): number {
  let done = 0
  while (done < into.length) {
    const read = readSync(file, into, done, into.length - done, at + done)
    if (read === 0) break
    done += read
  }
  return done
}
