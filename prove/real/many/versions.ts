import { setTimeout as delay } from 'node:timers/promises'
import { HubClient } from '../../../src/client/hub-client.ts'
import { DirectTransport } from '../../../src/client/transport/direct.ts'
import { entryVersion } from '../../../src/hub/state/commands.ts'
import { api } from '../../../src/protocol/api.ts'
import type { Planted } from '../../plant.ts'
import { between, pick } from '../../sim/random.ts'
import type { Broken, Fault, Round } from '../fault.ts'
import { type HubProcess, NotStarted } from '../hub-process.ts'
import { forAWhile, storm } from '../storm.ts'
import { Variant } from '../variant.ts'
import { ManyHubs } from './many-hubs.ts'

const newer = entryVersion + 1

/** Time in which the hubs must raise the rules once all of them support newer ones, in ms. */
const raiseLimitMs = 30_000

/** Changes that make a program with the next version of the rules, in which an ack has another outcome. */
export const newerRules: readonly Omit<Planted, 'breaks'>[] = [
  {
    name: 'newer-rules',
    file: 'hub/state/commands.ts',
    changes: [[`export const entryVersion = ${entryVersion}`, `export const entryVersion = ${newer}`]],
  },
  {
    name: 'newer-rules',
    file: 'hub/state/apply/apply.ts',
    changes: [
      [
        'const outcome = carryOut(db, { ...entry, v })',
        `const outcome = carryOut(db, { ...entry, v })
  if (v >= ${newer} && command.type === 'inbox.ack' && outcome.ok) Object.assign(outcome.result, { rules: v })`,
      ],
    ],
  },
]

export const mixedVersions: Fault = {
  name: 'mixed-versions',
  title:
    'three hubs are upgraded to newer rules one by one, back and forth, some of them killed; then an older one returns',
  needs: ['etcd'],
  async run(round) {
    using variant = new Variant()
    await variant.build(newerRules)
    const cluster = await ManyHubs.start(round)
    const older = cluster.hubs[0]!.program
    const found: Broken[] = []
    const broken = (text: string) => found.push({ kind: 'broken', text })
    const rules = () => rulesInForce(cluster)
    const run = async (hub: HubProcess, program: string) => {
      round.strike()
      if (round.random() < 0.5) await hub.kill()
      else await hub.stop()
      hub.program = program
      await hub.start()
    }
    const result = await storm(round, cluster, async load => {
      const last = pick(round.random, cluster.hubs)
      const others = cluster.hubs.filter(hub => hub !== last)
      for (const hub of others) await run(hub, variant.program)
      await forAWhile(round, async () => {
        await load.answered(10)
        await delay(between(round.random, 100, 1000))
        await run(pick(round.random, others), pick(round.random, [older, variant.program]))
        if ((await rules()) !== entryVersion) broken(`the rules were raised while ${last.dataDir} did not know them`)
      })
      for (const hub of cluster.hubs) if (hub.program === older) await run(hub, variant.program)
      if (!(await raised(rules))) broken(`the rules are still ${await rules()} with three hubs that know ${newer}`)
      await load.answered(30)
      await refuses(round, last, { older, newer: variant.program, broken })
      await load.answered(10)
    })
    return { ...result, violations: [...found, ...result.violations] }
  },
}

async function rulesInForce(cluster: ManyHubs): Promise<number | null | undefined> {
  const transport = new DirectTransport(cluster.urls[0]!)
  const admin = new HubClient({ transport, token: cluster.adminToken, timeoutMs: 30_000 })
  try {
    return (await admin.call(api.listHubs)).rules
  } finally {
    admin.close()
  }
}

/** Reports whether the newer rules come into force in time. */
async function raised(rules: () => Promise<number | null | undefined>): Promise<boolean> {
  for (const began = performance.now(); performance.now() - began < raiseLimitMs; await delay(100))
    if ((await rules()) === newer) return true
  return false
}

/**
 * Checks that an older program refuses to start, with that reason, on a history with rules that it does not support; then starts the newer
 * one again.
 */
async function refuses(
  round: Round,
  hub: HubProcess,
  programs: { older: string; newer: string; broken: (text: string) => void },
): Promise<void> {
  round.strike()
  await hub.stop()
  hub.program = programs.older
  try {
    await hub.start()
    programs.broken(`a hub that knows rules ${entryVersion} started on a history of rules ${newer}`)
    await hub.kill()
  } catch (error) {
    if (!(error instanceof NotStarted)) throw error
    if (!/[Uu]pgrade/.test(error.message)) programs.broken(`the refusal does not say to upgrade: ${error.message}`)
  }
  hub.program = programs.newer
  await hub.start()
}
