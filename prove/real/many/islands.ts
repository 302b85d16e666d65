import { execFileSync } from 'node:child_process'
import { mkdirSync } from 'node:fs'
import type { Round } from '../fault.ts'

/** Address of the members, which are not in any of the namespaces. */
const bridgeAddress = '10.77.0.1'

/** Network namespaces connected by one bridge; the connections between them can be cut. */
export class Islands {
  readonly #addresses: ReadonlyMap<string, string>

  /** Creates an island for each name. The islands end with the process, which has its own namespaces (see isolate.ts). */
  constructor(round: Round, names: readonly string[]) {
    this.#addresses = new Map(names.map((name, index) => [name, `10.77.0.${10 + index}`]))
    mkdirSync('/run/netns', { recursive: true })
    run('mount', '-t', 'tmpfs', 'none', '/run/netns')
    round.defer(() => run('umount', '/run/netns'))
    run('ip', 'link', 'add', 'sea', 'type', 'bridge')
    round.defer(() => run('ip', 'link', 'delete', 'sea'))
    run('ip', 'address', 'add', `${bridgeAddress}/24`, 'dev', 'sea')
    run('ip', 'link', 'set', 'sea', 'up')
    for (const [name, address] of this.#addresses) {
      run('ip', 'netns', 'add', name)
      round.defer(() => run('ip', 'netns', 'delete', name))
      run('ip', 'link', 'add', `to-${name}`, 'type', 'veth', 'peer', 'name', 'shore', 'netns', name)
      run('ip', 'link', 'set', `to-${name}`, 'master', 'sea', 'up')
      run('ip', '-n', name, 'address', 'add', `${address}/24`, 'dev', 'shore')
      for (const device of ['lo', 'shore']) run('ip', '-n', name, 'link', 'set', device, 'up')
      this.#nft(name, 'add table inet cut')
      this.#nft(name, 'add chain inet cut input { type filter hook input priority 0 ; }')
    }
  }

  addressOf(name: string): string {
    return this.#addresses.get(name)!
  }

  /** Returns the command prefix that runs a command on this island. */
  on(name: string): string[] {
    return ['ip', 'netns', 'exec', name]
  }

  /** Silently drops every packet between each of `some` and each of `others`, in both directions. */
  cut(some: readonly string[], others: readonly string[]): void {
    for (const one of some) for (const other of others) this.#drop(one, other)
    for (const other of others) for (const one of some) this.#drop(other, one)
  }

  /** Removes all cuts. */
  join(): void {
    for (const name of this.#addresses.keys()) this.#nft(name, 'flush chain inet cut input')
  }

  #drop(at: string, from: string): void {
    this.#nft(at, `add rule inet cut input ip saddr ${this.addressOf(from)} drop`)
  }

  #nft(at: string, rule: string): void {
    run('ip', 'netns', 'exec', at, 'nft', ...rule.split(' '))
  }
}

function run(command: string, ...args: string[]): void {
  execFileSync(command, args, { stdio: ['ignore', 'ignore', 'pipe'] })
}
