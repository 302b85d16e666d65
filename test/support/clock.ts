import { globSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'vitest'
import { tempDir } from './temp.ts'

/** The wall clock of a process under test, which may be set while it runs. Its monotonic clock goes on as ever. */
export interface SteppedClock {
  /** What the process must be started with. */
  env: Record<string, string>
  /** Sets it to so many seconds before (negative) or after the real time. */
  step: (seconds: number) => void
}

export const daySeconds = 86_400

/** A clock by libfaketime (Debian package `faketime`); skips the running test where that is not installed. */
export function steppedClock(context: TestContext): SteppedClock {
  const [library] = globSync('/usr/lib/*/faketime/libfaketimeMT.so.1')
  if (library === undefined) context.skip('libfaketime is not installed here (Debian: apt-get install faketime)')
  const file = join(tempDir('clock'), 'offset')
  const step = (seconds: number) => {
    writeFileSync(`${file}.new`, `${seconds < 0 ? '' : '+'}${seconds}\n`)
    renameSync(`${file}.new`, file)
  }
  step(0)
  const env = {
    LD_PRELOAD: library!,
    FAKETIME_TIMESTAMP_FILE: file,
    FAKETIME_NO_CACHE: '1',
    FAKETIME_DONT_FAKE_MONOTONIC: '1',
    // Times of files stay the disk's: a clock that was set does not change them either.
    NO_FAKE_STAT: '1',
  }
  return { env, step }
}
