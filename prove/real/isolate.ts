import { spawn, spawnSync } from 'node:child_process'
import { text } from 'node:stream/consumers'
import type { PartResult } from '../part.ts'
import { isolatedBy } from './needs.ts'
import type { RealOptions } from './part.ts'

/** Sets up loopback, which is down in a new network namespace. */
const withLoopback = ['sh', '-c', 'ip link set lo up && exec "$@"', 'sh']

/**
 * Runs the real part in a process with its own mount, network and process namespaces, so that it cannot affect the machine, and leaves
 * nothing behind however it ends. If namespaces cannot be created, it runs without them, and faults that need them are skipped with the
 * reason.
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
