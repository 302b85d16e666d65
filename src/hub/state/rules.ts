import type { Command } from './commands.ts'

/** Version of the rules that every program supports that can share a history: that of the first one that could. */
export const sharedRules = 3

/**
 * Returns the version of the rules that a command requires. Hubs that share a history refuse it until that is in force, since some of them
 * may run a program with another outcome. A change that raises `entryVersion` lists the new commands and fields here.
 */
export function rulesNeeded(_command: Command): number {
  return sharedRules
}
