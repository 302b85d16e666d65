import { globSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'

/** A wall clock for a process, settable while it runs, by libfaketime. Monotonic clocks are not changed. */
export class SetClock {
  readonly env: Record<string, string>
  readonly #file: string

  /** Stores the offset of the clock in `dir`. */
  constructor(dir: string) {
    const [library] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')
    this.#file = join(dir, 'offset')
    this.set(0)
    this.env = {
      LD_PRELOAD: library!,
      FAKETIME_TIMESTAMP_FILE: this.#file,
      FAKETIME_NO_CACHE: '1',
      FAKETIME_DONT_FAKE_MONOTONIC: '1',
      // File times must stay real: they do not depend on the clock.
      NO_FAKE_STAT: '1',
    }
  }

  /** Sets the clock this many whole seconds ahead of the machine's. */
  set(seconds: number): void {
    writeFileSync(`${this.#file}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`)
    renameSync(`${this.#file}.new`, this.#file)
  }
}
