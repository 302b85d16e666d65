import { spawn, spawnSync } from 'node:child_process'
import { text } from 'node:stream/consumers'
import type { PartResult } from '../part.ts'
import { isolatedBy } from './needs.ts'
import type { RealOptions } from './part.ts'

/** Loopback is down in a network namespace that was just made. */
const withLoopback = ['sh', '-c', 'ip link set lo up && exec "$@"', 'sh']

/**
 * Runs the real part in a process with mounts, network and processes of its own, so that nothing it does reaches the machine and nothing is
 * left of it, whatever ends it. Where there can be no namespaces it runs without, and the faults that need them say why.
 */
export async function runIsolated(options: Omit<RealOptions, 'say'>): Promise<PartResult> {
  const way = waysIn.find(each => spawnSync(each[0]!, [...each.slice(1), ...withLoopback, 'true']).status === 0)
  const [command, ...before] = way ? [...way, ...withLoopback, process.execPath] : [process.execPath]
  const why = process.platform === 'linux' ? 'namespaces cannot be made here (unshare, ip)' : 'this is not Linux'
  const child = spawn(command!, [...before, `${import.meta.dirname}/main.ts`, JSON.stringify(options)], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: { ...process.env, [isolatedBy]: way ? 'yes' : why },
  })
  const stop = () => child.kill('SIGTERM')
  process.once('exit', stop)
  const output = await text(child.stdout)
  process.off('exit', stop)
  try {
    return JSON.parse(output) as PartResult
  } catch {
    throw new Error(`The process of the real faults ended without a result: ${output.slice(0, 500)}`)
  }
}

const kinds = ['--net', '--mount', '--pid', '--fork', '--kill-child', '--mount-proc']
const waysIn = [
  ['unshare', ...kinds],
  ['unshare', '--user', '--map-root-user', ...kinds],
]
