import { join } from 'node:path'
import { type Cluster, OneHub } from './cluster.ts'
import type { Round, RoundResult } from './fault.ts'
import type { HubOptions } from './hub-process.ts'
import { Load, type LoadOptions } from './load.ts'

/** A hub that stands alone, with its store in the round's directory unless `options` names another; it has started, and ends with the round. */
export async function oneHub(round: Round, options: Partial<HubOptions> = {}): Promise<OneHub> {
  const cluster = new OneHub({ dataDir: join(round.dir, 'hub'), ...options })
  round.defer(() => cluster.close())
  await cluster.start()
  return cluster
}

/**
 * Lets members use a cluster that has started, does the harm, and then has everything come to its end: the cluster is healed, all that was
 * begun is answered, every inbox is read and the history checked. `harm` resolves when nothing more is to go wrong.
 */
export async function storm(
  round: Round,
  cluster: Cluster,
  harm: (load: Load) => Promise<void>,
  { load = undefined as Load | undefined, ...options }: Partial<LoadOptions> & { load?: Load } = {},
): Promise<RoundResult> {
  load ??= new Load({ cluster, seed: round.seed, ...options })
  round.defer(() => load.close())
  round.defer(() => load.history.save(join(round.dir, 'history.jsonl')))
  await load.start()
  await load.answered(10)
  await harm(load)
  return await ended(round, load, cluster)
}

/** The end of a load: what it came to, as the checker judges it. */
export async function ended(round: Round, load: Load, cluster: Cluster): Promise<RoundResult> {
  const violations = await load.end()
  if (violations.length > 0) cluster.keepStores(round.dir)
  return { acknowledged: load.acknowledged, violations, worstMs: load.worstSendMs }
}

/** Repeats `stroke` for as long as the round's harm may go on, at least once. */
export async function forAWhile(round: Round, stroke: () => Promise<void>): Promise<void> {
  const began = performance.now()
  do await stroke()
  while (performance.now() - began < round.harmMs)
}
