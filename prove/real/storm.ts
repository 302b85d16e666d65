import { join } from 'node:path'
import { type Cluster, OneHub } from './cluster.ts'
import type { Round, RoundResult } from './fault.ts'
import type { HubOptions } from './hub-process.ts'
import { Load, type LoadOptions } from './load.ts'

/** Starts a standalone hub, with its store in the directory of the round unless `options` names another. It ends with the round. */
export async function oneHub(round: Round, options: Partial<HubOptions> = {}): Promise<OneHub> {
  const cluster = new OneHub({ dataDir: join(round.dir, 'hub'), ...options })
  round.defer(() => cluster.close())
  await cluster.start()
  return cluster
}

/** Starts `load`, and resolves once `sends` of its sends are acknowledged. It is closed, and its history saved, at the end of the round. */
export async function startLoad(round: Round, load: Load, sends: number): Promise<Load> {
  round.defer(() => load.close())
  round.defer(() => load.history.save(join(round.dir, 'history.jsonl')))
  await load.start()
  await load.answered(sends)
  return load
}

/**
 * Plays a round: members use a started cluster, `harm` injects the faults and resolves after the last one, and `ended` judges the outcome.
 */
export async function storm(
  round: Round,
  cluster: Cluster,
  harm: (load: Load) => Promise<void>,
  { load, ...options }: Partial<LoadOptions> & { load?: Load } = {},
): Promise<RoundResult> {
  const started = await startLoad(round, load ?? new Load({ cluster, seed: round.seed, ...options }), 10)
  await harm(started)
  return await ended(round, started, cluster)
}

/** Heals the cluster, waits for all operations to complete, and runs the checker on the inboxes and the history. */
export async function ended(round: Round, load: Load, cluster: Cluster): Promise<RoundResult> {
  const violations = await load.end()
  if (violations.length > 0) cluster.keepStores(round.dir)
  return { acknowledged: load.acknowledged, violations, worstMs: load.worstSendMs }
}

/** Repeats `stroke` for the harm time of the round, at least once. */
export async function forAWhile(round: Round, stroke: () => Promise<void>): Promise<void> {
  const began = performance.now()
  do await stroke()
  while (performance.now() - began < round.harmMs)
}
