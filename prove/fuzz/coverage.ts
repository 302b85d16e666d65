import { type Profiler, Session } from 'node:inspector'

/** Code that ran: for each file the positions in its text, as pairs of start and end. */
export type Covered = Map<string, number[]>

/** Records by V8's block coverage which parts of the program's text this process has run. */
export class Coverage {
  readonly #session = new Session()
  readonly #prefix: string
  /** For each file, 1 at each character that has run. */
  readonly #seen = new Map<string, Uint8Array>()

  /** Covers the files whose URL begins with `prefix`. */
  constructor(prefix: string) {
    this.#prefix = prefix
    this.#session.connect()
    this.#session.post('Profiler.enable')
    this.#session.post('Profiler.startPreciseCoverage', { callCount: true, detailed: true })
  }

  /** Number of characters of the program that have run. */
  get size(): number {
    let sum = 0
    for (const bytes of this.#seen.values()) for (const byte of bytes) sum += byte
    return sum
  }

  /** Returns what ran since the last call. */
  take(): Covered {
    const covered: Covered = new Map()
    for (const { url, functions } of this.#counted())
      if (url.startsWith(this.#prefix)) covered.set(url.slice(this.#prefix.length), intervalsOf(functions))
    return covered
  }

  /** Returns the part of `covered` that is not recorded yet. */
  newIn(covered: Covered): Covered {
    const found: Covered = new Map()
    for (const [file, intervals] of covered) {
      const seen = this.#seen.get(file)
      const fresh: number[] = []
      for (let at = 0; at < intervals.length; at += 2) {
        const [begin, end] = [intervals[at]!, intervals[at + 1]!]
        for (let place = begin; place < end; place++) {
          if (seen?.[place]) continue
          const first = place
          while (place < end && !seen?.[place]) place++
          fresh.push(first, place)
        }
      }
      if (fresh.length > 0) found.set(file, fresh)
    }
    return found
  }

  /** Records `covered` as run. */
  note(covered: Covered): void {
    for (const [file, intervals] of covered) {
      const end = intervals.at(-1) ?? 0
      let seen = this.#seen.get(file)
      if (!seen || seen.length < end) {
        const grown = new Uint8Array(end * 2)
        if (seen) grown.set(seen)
        this.#seen.set(file, grown)
        seen = grown
      }
      for (let at = 0; at < intervals.length; at += 2) seen.fill(1, intervals[at], intervals[at + 1])
    }
  }

  close(): void {
    this.#session.disconnect()
  }

  #counted(): Profiler.ScriptCoverage[] {
    let counted: Profiler.ScriptCoverage[] = []
    // In the same process the callback runs before the call returns.
    this.#session.post('Profiler.takePreciseCoverage', (error, answer) => {
      if (error) throw error
      counted = answer.result
    })
    return counted
  }
}

/** Reports whether `all` contains every position of `some`. */
export function holds(all: Covered, some: Covered): boolean {
  for (const [file, intervals] of some) {
    const there = all.get(file)
    if (!there) return false
    for (let at = 0; at < intervals.length; at += 2) {
      const [begin, end] = [intervals[at]!, intervals[at + 1]!]
      let isIn = false
      for (let each = 0; each < there.length && !isIn; each += 2)
        isIn = there[each]! <= begin && end <= there[each + 1]!
      if (!isIn) return false
    }
  }
  return true
}

/** Returns the positions that ran, from V8's ranges: outer ones come first, and an inner one overrides its part. */
function intervalsOf(functions: readonly Profiler.FunctionCoverage[]): number[] {
  const ranges = functions.flatMap(each => each.ranges)
  const end = Math.max(0, ...ranges.map(({ endOffset }) => endOffset))
  const ran = new Uint8Array(end + 1)
  for (const { startOffset, endOffset, count } of ranges) ran.fill(count > 0 ? 1 : 0, startOffset, endOffset)
  const intervals: number[] = []
  for (let place = 0; place <= end; place++)
    if (ran[place] !== (place === 0 ? 0 : ran[place - 1])) intervals.push(place)
  return intervals
}
