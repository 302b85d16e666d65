import { writeSync } from 'node:fs'

export interface LogDestinationOptions {
  /** The file descriptor to write to. */
  fd?: number
  /** Whether the output goes to systemd's journal: each line then begins with its priority (sd-daemon(3)). */
  isJournal?: boolean
  /** As `writeSync` of node:fs. */
  write?: (fd: number, bytes: Uint8Array) => number
}

/** Most attempts to write one line to a full pipe (EAGAIN), a millisecond apart; one while lines are dropped. */
const maxTries = 20

/**
 * Writes the log to standard output, synchronously, line by line. Lines that cannot be written (full disk, closed pipe) are dropped and
 * counted, and the count is logged before the next line that can be: a failing log never ends or blocks the hub.
 */
export class LogDestination {
  readonly #fd: number
  readonly #isJournal: boolean
  readonly #writeSync: (fd: number, bytes: Uint8Array) => number
  #dropped = 0
  #isCut = false

  constructor({ fd = 1, isJournal = false, write = writeSync }: LogDestinationOptions = {}) {
    this.#fd = fd
    this.#isJournal = isJournal
    this.#writeSync = write
  }

  /** Writes a line with its newline, or drops it. Never throws. */
  write(line: string): void {
    if (this.#dropped > 0 || this.#isCut) {
      // Ends a line of which only a part was written.
      const gap = `${this.#isCut ? '\n' : ''}${this.#dropped > 0 ? this.#droppedLine() : ''}`
      if (!this.#tryWrite(gap)) {
        this.#dropped++
        return
      }
      this.#dropped = 0
    }
    if (!this.#tryWrite(this.#isJournal ? withPriority(line) : line)) this.#dropped++
  }

  #droppedLine(): string {
    return `${JSON.stringify({ level: 40, time: Date.now(), lines: this.#dropped, msg: 'lines of this log could not be written' })}\n`
  }

  /** Reports whether all of `text` was written. Records whether it ended within a line. */
  #tryWrite(text: string): boolean {
    let bytes: Uint8Array = Buffer.from(text)
    const tries = this.#dropped > 0 ? 1 : maxTries
    for (let n = 0; bytes.length > 0 && n < tries; n++) {
      try {
        const written = this.#writeSync(this.#fd, bytes)
        if (written > 0) this.#isCut = bytes[written - 1] !== newline
        bytes = bytes.subarray(written)
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code === 'EAGAIN') sleep(1)
        else return false
      }
    }
    return bytes.length === 0
  }
}

const newline = 10

/** Syslog's priority (syslog(3)) of each of pino's levels: trace, debug, info, warn, error, fatal. */
const priorities: Record<string, number> = { 10: 7, 20: 7, 30: 6, 40: 4, 50: 3, 60: 2 }

/** Returns a line of pino's with its priority in front; pino writes the level first. */
function withPriority(line: string): string {
  const [, level = ''] = /^\{"level":(\d+)/.exec(line) ?? []
  return `<${priorities[level] ?? 6}>${line}`
}

/** Blocks the thread for `ms`, since the log is written synchronously. */
function sleep(ms: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms)
}
