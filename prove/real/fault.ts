import type { Kind } from '../checker/check.ts'
import type { Random } from '../sim/random.ts'
import type { Need } from './needs.ts'

/** What breaks a promise: as the checker names it, or that the program or the round itself showed to be wrong. */
export interface Broken {
  kind: Kind | 'broken' | 'stuck' | 'diverged'
  text: string
}

/** One round of a fault: a cluster of its own, a load, the harm, and what came of it. */
export interface Round {
  seed: number
  /** Chance of this round: what the harm is and when it strikes. */
  random: Random
  /** A directory of this round; it is kept, and named, when the round fails. */
  dir: string
  /** How long the harm may go on, in ms: rounds are short in quick runs. */
  harmMs: number
  say(text: string): void
  /** Counts one stroke of the fault. */
  strike(): void
  /** Something to end when the round is over, whatever came of it; the last one first. */
  defer(end: () => unknown): void
}

/** What a round came to. */
export interface RoundResult {
  acknowledged: number
  violations: Broken[]
  /** The longest time in ms in which a client could not send. */
  worstMs?: number
}

export interface Fault {
  name: string
  /** What goes wrong, in one sentence. */
  title: string
  /** What it takes; where something is missing, it is listed as skipped with the reason. */
  needs: readonly Need[]
  /** Whether `--quick` plays it. */
  isQuick?: boolean
  /** Plays one round. Throws where the round itself went wrong: that fails too. */
  run(round: Round): Promise<RoundResult>
}
