import type { Fault } from '../fault.ts'
import { killHub, pauseHub } from './kills.ts'

/** Every fault that real processes are put to, in the order of the table. */
export const faults: readonly Fault[] = [killHub, pauseHub]
