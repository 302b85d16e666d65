import { execFileSync } from 'node:child_process'
import { setTimeout as delay } from 'node:timers/promises'
import { between, pick } from '../../sim/random.ts'
import type { Fault } from '../fault.ts'
import { forAWhile, oneHub, storm } from '../storm.ts'

/** How many members there are; each reaches the hub at an address of its own, so that one line can be cut alone. */
const members = 4

const addressOf = (member: number) => `127.0.0.${11 + member}`

/** Rules of the run's own network that drop packets; `ways` says which of a member's: to the hub, from it, or both. */
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

  /** Three of ten packets are lost. */
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

function urlsAt(port: number): (member: number) => URL[] {
  return member => [new URL(`http://${addressOf(member)}:${port}`)]
}

export const partition: Fault = {
  name: 'partition',
  title: 'lines between the hub and some members drop every packet, both ways or one, or lose a third',
  needs: ['namespace', 'nft'],
  async run(round) {
    const cluster = await oneHub(round, { config: { host: '0.0.0.0' } })
    const rules = new Rules()
    round.defer(() => rules.remove())
    return await storm(
      round,
      cluster,
      () =>
        forAWhile(round, async () => {
          for (let member = 0; member < members; member++) {
            if (round.random() < 0.5) continue
            round.strike()
            if (round.random() < 0.3) rules.lose(member)
            else rules.drop(member, pick(round.random, ['to', 'from', 'both']))
          }
          await delay(between(round.random, 200, 5000))
          rules.heal()
          await delay(between(round.random, 100, 800))
        }),
      { members, urls: urlsAt(cluster.hub.port), timeoutMs: 1500 },
    )
  },
}

export const halfOpen: Fault = {
  name: 'half-open',
  title: 'the hub dies, or a member does, while nothing passes: one end keeps connections that the other does not have',
  needs: ['namespace', 'nft'],
  async run(round) {
    const cluster = await oneHub(round, { config: { host: '0.0.0.0' } })
    const rules = new Rules()
    round.defer(() => rules.remove())
    return await storm(
      round,
      cluster,
      load =>
        forAWhile(round, async () => {
          await load.answered(5)
          round.strike()
          for (let member = 0; member < members; member++) rules.drop(member, 'both')
          await delay(between(round.random, 20, 500))
          if (round.random() < 0.7) {
            await cluster.hub.kill()
            await cluster.hub.start()
          } else load.breakStreams()
          await delay(between(round.random, 20, 500))
          rules.heal()
        }),
      { members, urls: urlsAt(cluster.hub.port), timeoutMs: 1500 },
    )
  },
}
