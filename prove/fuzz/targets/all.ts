import type { Target } from '../target.ts'
import { requests } from './requests.ts'

/** Everything that is fuzzed, in the order in which it is. */
export const targets: readonly Target[] = [requests]
