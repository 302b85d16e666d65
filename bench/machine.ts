import { spawnSync } from 'node:child_process'
import { closeSync, fdatasyncSync, openSync, readFileSync, rmSync, statfsSync, writeSync } from 'node:fs'
import { cpus, loadavg, release } from 'node:os'
import { join } from 'node:path'
import { median } from './compare.ts'
import { machineNode } from './processes.ts'

/** CPU time in clock ticks since boot: of all processes, and of this one with its exited children. */
interface Ticks {
  all: number
  /** Time of all processes, and time stolen by the host of a virtual machine. */
  busy: number
  ours: number
}

/** Names of common file systems by their `statfs` number. */
const fileSystems: Record<number, string> = {
  61267: 'ext4',
  1481003842: 'xfs',
  2435016766: 'btrfs',
  2035054128: 'overlay',
  801189825: 'zfs',
  16914836: 'tmpfs, on which fsync costs nothing',
}

/** Describes this machine in two lines. */
export function describeMachine(dir: string): string {
  const all = cpus()
  const isVirtual = /^flags.*\bhypervisor\b/m.test(readFileSync('/proc/cpuinfo', 'utf8'))
  const type = statfsSync(dir).type
  const systemNode = spawnSync(machineNode, ['--version'], { encoding: 'utf8' }).stdout.trim()
  const kind = isVirtual ? 'shared virtual machine' : 'machine'
  return `${kind} with ${all.length} cores (${all[0]?.model.trim()}), Linux ${release()},
Node ${process.version} (the machine's side: ${systemNode}), store on ${fileSystems[type] ?? `file system 0x${type.toString(16)}`} \
(fdatasync of 4 KiB: ${syncMs(dir).toFixed(2)} ms), load before: ${loadavg()[0]!.toFixed(2)}.`
}

/** Returns the median time to append 4 KiB to a file and sync it, in ms: each batch of a durable hub waits for that. */
function syncMs(dir: string): number {
  const path = join(dir, `claude-net-bench-sync-${process.pid}`)
  const file = openSync(path, 'w')
  const page = Buffer.alloc(4096, 1)
  try {
    const times = Array.from({ length: 101 }, () => {
      const startedAt = performance.now()
      writeSync(file, page)
      fdatasyncSync(file)
      return performance.now() - startedAt
    })
    return median(times)
  } finally {
    closeSync(file)
    rmSync(path)
  }
}

/** Starts to measure CPU use. The returned function returns the share of all cores that other processes have used since, 0 to 1. */
export function watchOthers(): () => number {
  const before = readTicks()
  return () => {
    const after = readTicks()
    const others = after.busy - before.busy - (after.ours - before.ours)
    return Math.max(0, others / (after.all - before.all))
  }
}

function readTicks(): Ticks {
  const line = /^cpu +(.*)$/m.exec(readFileSync('/proc/stat', 'utf8'))![1]!
  // user nice system idle iowait irq softirq steal; user time includes guest time.
  const all = line.split(' ').slice(0, 8).map(Number)
  const own = readFileSync('/proc/self/stat', 'utf8')
  const [user, system, childrensUser, childrensSystem] = own
    .slice(own.lastIndexOf(')') + 2)
    .split(' ')
    .slice(11, 15)
    .map(Number)
  const total = sum(all)
  return {
    all: total,
    busy: total - all[3]! - all[4]!,
    ours: sum([user!, system!, childrensUser!, childrensSystem!]),
  }
}

function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0)
}
