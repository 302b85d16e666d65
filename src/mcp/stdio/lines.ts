/** Bytes kept of the end of an overlong line: enough for the id, which our clients write last. */
const tailBytes = 200

export interface LineHandlers {
  /** Called with each line, without its line end, decoded as UTF-8; invalid bytes become U+FFFD. */
  onLine: (line: string) => void
  /** Called after a line that exceeded the limit and was discarded. `tail` is its end. */
  onTooLong: (tail: string) => void
}

/**
 * Splits bytes into lines, in memory bounded by the longest line that is accepted. A line ends with LF or CR LF; bytes after the last line
 * end are not a line.
 */
export class LineReader {
  readonly #maxBytes: number
  readonly #handlers: LineHandlers
  /** The current line so far; only its last bytes once it is too long. */
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
