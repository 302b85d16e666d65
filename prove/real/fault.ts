import type { Kind } from '../checker/check.ts'
import type { Random } from '../sim/random.ts'
import type { Need } from './needs.ts'

/** A broken promise: found by the checker, or shown by the program or the round itself. */
export interface Broken {
  kind: Kind | 'broken' | 'stuck' | 'diverged'
  text: string
}

/** One round of a fault, with a cluster and a load of its own. */
export interface Round {
  seed: number
  /** Random numbers of this round, which determine the kind and the time of the faults. */
  random: Random
  /** Directory of this round; kept, and named, when the round fails. */
  dir: string
  /** Time for which faults may strike, in ms: rounds are short in quick runs. */
  harmMs: number
  say(text: string): void
  /** Counts one strike of the fault. */
  strike(): void
  /** Registers a cleanup for the end of the round, whatever its outcome; the last registered runs first. */
  defer(end: () => unknown): void
}

/** Outcome of a round. */
export interface RoundResult {
  acknowledged: number
  violations: Broken[]
  /** Longest time in which a client could not send, in ms. */
  worstMs?: number
}

export interface Fault {
  name: string
  /** The fault, in one sentence. */
  title: string
  /** Requirements; if one is missing, the fault is listed as skipped with the reason. */
  needs: readonly Need[]
  /** Whether `--quick` includes it. */
  isQuick?: boolean
  /** Plays one round. Throws if the round itself fails, which counts as a failure. */
  run(round: Round): Promise<RoundResult>
}
