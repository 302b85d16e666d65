import { globSync, renameSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { TestContext } from 'vitest'
import { tempDir } from './temp.ts'

/** The clocks of a process under test, which may be set while it runs. */
export interface SteppedClock {
  /** Environment with which the process must be started. */
  env: Record<string, string>
  /** Sets the clock this many seconds before (negative) or after the real time. */
  step: (seconds: number) => void
}

export const daySeconds = 86_400

/**
 * Returns a wall clock by libfaketime (Debian package `faketime`) that can be set while the monotonic one continues; skips the running test
 * if libfaketime is not installed.
 */
export function steppedClock(context: TestContext): SteppedClock {
  const { env, step } = passingClock(context)
  return { env: { ...env, FAKETIME_DONT_FAKE_MONOTONIC: '1' }, step }
}

/** Returns the same for both clocks: a step forwards then looks like elapsed time. */
export function passingClock(context: TestContext): SteppedClock {
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
    // File times must not depend on the clock, so that a step does not change them.
    NO_FAKE_STAT: '1',
  }
  return { env, step }
}
