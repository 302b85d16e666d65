import { execFileSync } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { between, pick } from '../../sim/random.ts'
import type { Fault, Round } from '../fault.ts'
import type { HubProcess } from '../hub-process.ts'
import type { Load } from '../load.ts'
import { forAWhile, oneHub, storm } from '../storm.ts'

/** Number of members; each reaches the hub at an address of its own, so that its connections can be cut alone. */
const members = 4

const addressOf = (member: number) => `127.0.0.${11 + member}`

/** Packet filter rules in the run's own network namespace; `way` is the direction in which a member's packets are dropped. */
class Rules {
  constructor() {
    nft('add table inet prove')
    for (const hook of ['input', 'output'])
      nft(`add chain inet prove ${hook} { type filter hook ${hook} priority 0; policy accept; }`)
  }

  drop(member: number, way: 'to' | 'from' | 'both'): void {
    const address = addressOf(member)
    if (way !== 'from') nft(`add rule inet prove input ip daddr ${address} drop`)
    if (way !== 'to') nft(`add rule inet prove input ip saddr ${address} drop`)
  }

  /** Drops three of ten packets to the hub. */
  lose(member: number): void {
    nft(`add rule inet prove input ip daddr ${addressOf(member)} numgen random mod 10 < 3 drop`)
  }

  heal(): void {
    nft('flush table inet prove')
  }

  remove(): void {
    nft('delete table inet prove')
  }
}

function nft(rule: string): void {
  execFileSync('nft', [rule], { stdio: ['ignore', 'pipe', 'pipe'] })
}

/** Creates a fault that repeats `stroke` while members use one hub, each at an address of its own. */
function cutLines(
  name: string,
  title: string,
  stroke: (round: Round, rules: Rules, load: Load, hub: HubProcess) => Promise<void>,
): Fault {
  return {
    name,
    title,
    needs: ['namespace', 'nft'],
    async run(round) {
      const cluster = await oneHub(round, { config: { host: '0.0.0.0' } })
      const rules = new Rules()
      round.defer(() => rules.remove())
      const urls = (member: number) => [new URL(`http://${addressOf(member)}:${cluster.hub.port}`)]
      const harm = (load: Load) => forAWhile(round, () => stroke(round, rules, load, cluster.hub))
      return await storm(round, cluster, harm, { members, urls, timeoutMs: 1500 })
    },
  }
}

export const partition = cutLines(
  'partition',
  'connections between the hub and some members drop every packet, both ways or one, or lose a third',
  async (round, rules) => {
    for (let member = 0; member < members; member++) {
      if (round.random() < 0.5) continue
      round.strike()
      if (round.random() < 0.3) rules.lose(member)
      else rules.drop(member, pick(round.random, ['to', 'from', 'both']))
    }
    await delay(between(round.random, 200, 5000))
    rules.heal()
    await delay(between(round.random, 100, 800))
  },
)

export const halfOpen = cutLines(
  'half-open',
  'the hub, or a stream of each member, ends while no packet passes: one end keeps connections that the other does not have',
  async (round, rules, load, hub) => {
    await load.answered(5)
    round.strike()
    for (let member = 0; member < members; member++) rules.drop(member, 'both')
    await delay(between(round.random, 20, 500))
    if (round.random() < 0.7) {
      await hub.kill()
      await hub.start()
    } else load.breakStreams()
    await delay(between(round.random, 20, 500))
    rules.heal()
  },
)
