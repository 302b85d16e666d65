import { globSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A wall clock that a process is started with, and that is set while it runs, by libfaketime. Clocks that never step are the machine's. */
export class SetClock {
  readonly env: Record<string, string>
  readonly #file: string

  /** Keeps how far the clock is off in `dir`. */
  constructor(dir: string) {
    const [library] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')
    this.#file = join(dir, 'offset')
    this.set(0)
    this.env = {
      LD_PRELOAD: library!,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      // Times of files stay the disk's: a clock that was set does not change them either.
      NO_FAKE_STAT: '1',
    }
  }

  /** Sets the clock to so many whole seconds ahead of the machine's. */
  set(seconds: number): void {
    writeFileSync(`${this.#file}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`)
    renameSync(`${this.#file}.new`, this.#file)
  }
}
