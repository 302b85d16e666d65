import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync } from 'node:fs'
import { onTestFinished, type TestContext } from 'vitest'
import { findTool } from './newcomer.ts'

/** A cable between two network namespaces: the name and the address (of a /24) at each end. */
export type Cable<Name extends string> = [Name, string, Name, string]

/**
 * Creates network namespaces with only their loopback and these cables. Returns for each the prefix of a command line that runs there. They
 * are removed when the test ends; if none can be created, the test is skipped.
 */
export function namespaces<Name extends string>(context: TestContext, cables: Cable<Name>[]): Record<Name, string[]> {
  const ip = findTool('ip')
  if (!ip) context.skip('network namespaces need ip of iproute2, which is not installed here')
  const run = (...args: string[]) => execFileSync(ip!, args, { stdio: ['ignore', 'pipe', 'pipe'] })
  removeAbandoned(run)
  const names = new Set(cables.flatMap(([one, , other]) => [one, other]))
  const full = (name: Name) => `claude-net-${name}-${process.pid}`
  for (const name of names) {
    try {
      run('netns', 'add', full(name))
    } catch (error) {
      context.skip(`network namespaces cannot be made here: ${(error as Error).message.trim()}`)
    }
    onTestFinished(() => void run('netns', 'delete', full(name)))
    run('-n', full(name), 'link', 'set', 'lo', 'up')
  }
  for (const [index, [one, , other]] of cables.entries()) {
    const device = `eth${index}`
    run('link', 'add', device, 'netns', full(one), 'type', 'veth', 'peer', 'name', device, 'netns', full(other))
  }
  for (const [index, [one, itsAddress, other, otherAddress]] of cables.entries()) {
    for (const [name, address] of [[one, itsAddress] as const, [other, otherAddress] as const]) {
      run('-n', full(name), 'address', 'add', `${address}/24`, 'dev', `eth${index}`)
      run('-n', full(name), 'link', 'set', `eth${index}`, 'up')
    }
  }
  return Object.fromEntries([...names].map(name => [name, [ip!, 'netns', 'exec', full(name)]])) as Record<
    Name,
    string[]
  >
}

/** Removes the namespaces of killed test runs. */
function removeAbandoned(run: (...args: string[]) => unknown): void {
  const all = existsSync('/run/netns') ? readdirSync('/run/netns') : []
  for (const name of all) {
    const [, pid] = /^claude-net-.+-(\d+)$/.exec(name) ?? []
    if (pid !== undefined && !existsSync(`/proc/${pid}`)) run('netns', 'delete', name)
  }
}
