import { describe, test } from 'vitest'
import { withoutEtcd } from './etcd.ts'

/** Declares a block of tests that need etcd. Without etcd, the block is one test that is skipped with the reason. */
export function describeWithEtcd(name: string, tests: () => void | Promise<void>): void {
  if (withoutEtcd === undefined) describe(name, tests)
  else test(name, context => context.skip(withoutEtcd))
}
