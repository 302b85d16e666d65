import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { onTestFinished, type TestContext } from 'vitest'
import { tempDir } from './temp.ts'

/** Mounts a file system of `size` in memory for the running test, or skips the test where that is not allowed. */
export function smallDisk(context: TestContext, size: string): string {
  const dir = join(tempDir('disk'), 'data')
  mkdirSync(dir)
  mount(context, ['-t', 'tmpfs', '-o', `size=${size}`, 'none', dir])
  onTestFinished(() => unmount(dir))
  return dir
}

/** Runs `mount` with `args`, or skips the test where that is not allowed. */
export function mount(context: TestContext, args: string[]): void {
  try {
    execFileSync('mount', args, { stdio: 'pipe' })
  } catch {
    context.skip('mounting a file system is not allowed here')
  }
}

/** Unmounts a file system lazily: its path is gone, but files that are open in it can still be written. */
export function unmount(dir: string): void {
  execFileSync('umount', ['--lazy', dir], { stdio: 'pipe' })
}
