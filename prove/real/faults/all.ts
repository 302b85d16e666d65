import type { Fault } from '../fault.ts'
import { manyHubFaults } from '../many/all.ts'
import { bitFlips } from './bits.ts'
import { killClients, killedBeforeShown } from './clients.ts'
import { clockJumps } from './clocks.ts'
import { manyConnections, restartStreams, slowClients } from './crowds.ts'
import { diskError, fullDisk, powerLoss, readOnlyDisk } from './disks.ts'
import { killHub, killUnderLoad, pauseHub, twoHubs } from './kills.ts'
import { halfOpen, partition } from './networks.ts'

/** All faults for real processes, in the order of the table. */
export const faults: readonly Fault[] = [
  killHub,
  killUnderLoad,
  killClients,
  killedBeforeShown,
  powerLoss,
  fullDisk,
  readOnlyDisk,
  diskError,
  bitFlips,
  clockJumps,
  pauseHub,
  partition,
  halfOpen,
  slowClients,
  restartStreams,
  manyConnections,
  twoHubs,
  ...manyHubFaults,
]
