import type { Fault } from '../fault.ts'
import { manyHubFaults } from '../many/all.ts'
import { clockJumps } from './clocks.ts'
import { diskError, fullDisk, powerLoss, readOnlyDisk } from './disks.ts'
import { killHub, pauseHub } from './kills.ts'
import { halfOpen, partition } from './networks.ts'

/** Every fault that real processes are put to, in the order of the table. */
export const faults: readonly Fault[] = [
  killHub,
  powerLoss,
  fullDisk,
  readOnlyDisk,
  diskError,
  clockJumps,
  pauseHub,
  partition,
  halfOpen,
  ...manyHubFaults,
]
