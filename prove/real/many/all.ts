import type { Fault } from '../fault.ts'
import { killAllNodes, killLeader, killOneOfThree, pauseOne } from './ends.ts'
import { divergence, fullQuota, logMadeAnew, restoredNode } from './harmed-log.ts'
import { oneWrongClock, powerLossOfHubs } from './machines.ts'
import { partitionOfThree } from './partitions.ts'
import { deafWatch, oneSlowDisk, slowDisks } from './slow.ts'
import { mixedVersions } from './versions.ts'

/** All faults for three hubs over one log, in the order of the table. */
export const manyHubFaults: readonly Fault[] = [
  killOneOfThree,
  killLeader,
  killAllNodes,
  pauseOne,
  powerLossOfHubs,
  oneWrongClock,
  partitionOfThree,
  slowDisks,
  oneSlowDisk,
  deafWatch,
  logMadeAnew,
  restoredNode,
  fullQuota,
  divergence,
  mixedVersions,
]
