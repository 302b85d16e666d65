import { describe, test } from 'vitest'
import { withoutEtcd } from './etcd.ts'

/** A block of tests that need etcd. Where there is none the block is one test that skips itself, so that the reason is printed. */
export function describeWithEtcd(name: string, tests: () => void | Promise<void>): void {
  if (withoutEtcd === undefined) describe(name, tests)
  else test(name, context => context.skip(withoutEtcd))
}
