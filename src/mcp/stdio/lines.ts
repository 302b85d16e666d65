/** Most bytes kept of the end of a line that is too long: enough for the id that clients write last. */
const tailBytes = 200

export interface LineHandlers {
  /** One line without its end, as UTF-8; what is no UTF-8 reads as U+FFFD. */
  onLine: (line: string) => void
  /** A line had more than the most bytes, and was thrown away as it came. `tail` is how it ended. */
  onTooLong: (tail: string) => void
}

/**
 * Splits bytes into lines, in memory bounded by the longest line that is taken. A line ends with LF, or with CR and LF; what
 * comes after the last end is no line.
 */
export class LineReader {
  readonly #maxBytes: number
  readonly #handlers: LineHandlers
  /** The line that has begun, unless it is too long already: then how it ends so far. */
  #begun: Buffer[] = []
  #bytes = 0
  #isTooLong = false

  constructor(maxBytes: number, handlers: LineHandlers) {
    this.#maxBytes = maxBytes
    this.#handlers = handlers
  }

  push(chunk: Buffer): void {
    let start = 0
    for (let end = chunk.indexOf(10); end >= 0; end = chunk.indexOf(10, start)) {
      this.#take(chunk.subarray(start, end))
      start = end + 1
      this.#endLine()
    }
    if (start < chunk.length) this.#take(chunk.subarray(start))
  }

  #take(part: Buffer): void {
    this.#begun.push(part)
    this.#bytes += part.length
    this.#isTooLong ||= this.#bytes > this.#maxBytes
    if (this.#isTooLong) this.#begun = [Buffer.concat(this.#begun).subarray(-tailBytes)]
  }

  #endLine(): void {
    const text = Buffer.concat(this.#begun).toString('utf8').replace(/\r$/, '')
    const isTooLong = this.#isTooLong
    this.#begun = []
    this.#bytes = 0
    this.#isTooLong = false
    if (isTooLong) this.#handlers.onTooLong(text)
    else this.#handlers.onLine(text)
  }
}
