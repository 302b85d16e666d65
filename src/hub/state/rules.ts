import type { Command } from './commands.ts'

/** The rules that each program knows which can share a history: those of the first that could. */
export const sharedRules = 3

/**
 * The rules that a command needs. Hubs that share a history refuse it until those are in force: some of them may have a program that
 * comes to another outcome. Whoever raises `entryVersion` says here which commands, and which fields of them, are new.
 */
export function rulesNeeded(_command: Command): number {
  return sharedRules
}
