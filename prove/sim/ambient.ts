import { createRequire, syncBuiltinESMExports } from 'node:module'
import type { World } from './world.ts'

const require = createRequire(import.meta.url)

/** Sync operations of a simulated disk. */
export interface SimDisk {
  /** Throws when the disk fails, or the process is killed meanwhile. */
  syncNow(): void
  sync(done: (error: Error | null) => void): void
}

let world: World | undefined
let diskOf: () => SimDisk | undefined = () => undefined
let onFileSync: (handle: number) => void = () => {}

/**
 * Replaces the clock, timers, randomness and disk of this process by those of `next`; undefined restores them. `disk` returns the disk of
 * the running process, if it has one. `fileSynced` is called for each file or directory that is synced by `fsyncSync`, which stores do not
 * use.
 */
export function enter(
  next: World | undefined,
  disk: () => SimDisk | undefined = () => undefined,
  fileSynced: (handle: number) => void = () => {},
): void {
  install()
  world = next
  diskOf = disk
  onFileSync = fileSynced
}

let isInstalled = false

/**
 * Replaces functions of Node that the program uses (timers, clocks, randomness, file syncs) by functions that use the current world, if
 * there is one. Named imports in all modules are updated too.
 */
function install(): void {
  if (isInstalled) return
  isInstalled = true
  replaceTimers()
  replaceTimerPromises()
  replaceClocks()
  replaceChance()
  replaceSync()
  syncBuiltinESMExports()
}

type Callback = (...args: unknown[]) => void

/** Handle of a simulated timer. */
class Timer {
  cancel: () => void = () => {}
  ref(): this {
    return this
  }
  unref(): this {
    return this
  }
  hasRef(): boolean {
    return true
  }
  [Symbol.dispose](): void {
    this.cancel()
  }
}

function replaceTimers(): void {
  const real = { setTimeout, setInterval, setImmediate, clearTimeout, clearInterval, clearImmediate }
  const once = (label: string, ms: number, callback: () => void) => {
    const timer = new Timer()
    timer.cancel = world!.schedule(label, ms, callback)
    return timer
  }
  const every = (ms: number, callback: () => void) => {
    const timer = new Timer()
    const again = () => {
      timer.cancel = world!.schedule('interval', ms, () => {
        again()
        callback()
      })
    }
    again()
    return timer
  }
  const clear = (realClear: (timer: never) => void) => (timer: unknown) =>
    timer instanceof Timer ? timer.cancel() : realClear(timer as never)
  Object.assign(globalThis, {
    setTimeout: (callback: Callback, ms = 0, ...args: unknown[]) =>
      world ? once('timeout', ms, () => callback(...args)) : real.setTimeout(callback, ms, ...args),
    setInterval: (callback: Callback, ms = 0, ...args: unknown[]) =>
      world ? every(ms, () => callback(...args)) : real.setInterval(callback, ms, ...args),
    setImmediate: (callback: Callback, ...args: unknown[]) =>
      world ? once('immediate', 0, () => callback(...args)) : real.setImmediate(callback, ...args),
    clearTimeout: clear(real.clearTimeout),
    clearInterval: clear(real.clearInterval),
    clearImmediate: clear(real.clearImmediate),
  })
}

function replaceTimerPromises(): void {
  const timers = require('node:timers/promises') as Record<string, (...args: never[]) => Promise<unknown>>
  const real = { setTimeout: timers.setTimeout!, setImmediate: timers.setImmediate! }
  timers.setTimeout = (ms = 0, value?: unknown, options: { signal?: AbortSignal } = {}) => {
    if (!world) return real.setTimeout(ms as never, value as never, options as never)
    const { signal } = options
    return new Promise((resolve, reject) => {
      const cancel = world!.schedule('delay', ms, () => {
        signal?.removeEventListener('abort', aborted)
        resolve(value)
      })
      const aborted = () => {
        cancel()
        reject(signal!.reason)
      }
      if (signal?.aborted) aborted()
      else signal?.addEventListener('abort', aborted, { once: true })
    })
  }
  timers.setImmediate = (value?: unknown) =>
    world
      ? new Promise(resolve => world!.schedule('immediate', 0, () => resolve(value)))
      : real.setImmediate(value as never)
}

function replaceClocks(): void {
  const realNow = Date.now
  const realMonotonic = performance.now.bind(performance)
  Date.now = () => (world ? world.wallClock() : realNow())
  performance.now = () => (world ? world.monotonic() : realMonotonic())
}

function replaceChance(): void {
  const crypto = require('node:crypto') as typeof import('node:crypto')
  const { randomUUID, randomBytes, randomFillSync } = crypto
  const fill = (bytes: Uint8Array) => {
    for (let index = 0; index < bytes.length; index++) bytes[index] = Math.floor(world!.bytes() * 256)
    return bytes
  }
  const { random } = Math
  Math.random = () => (world ? world.bytes() : random())
  Object.assign(crypto, {
    randomUUID: () => {
      if (!world) return randomUUID()
      const hex = Buffer.from(fill(new Uint8Array(16))).toString('hex')
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20)}`
    },
    randomBytes: (size: number) => (world ? Buffer.from(fill(new Uint8Array(size))) : randomBytes(size)),
    randomFillSync: (bytes: Uint8Array) => (world ? fill(bytes) : randomFillSync(bytes)),
  })
}

function replaceSync(): void {
  const fs = require('node:fs') as typeof import('node:fs')
  const { fdatasync, fdatasyncSync, fsyncSync } = fs
  Object.assign(fs, {
    fsyncSync: (fd: number) => (world ? onFileSync(fd) : fsyncSync(fd)),
    fdatasyncSync: (fd: number) => {
      const disk = world && diskOf()
      if (disk) disk.syncNow()
      else fdatasyncSync(fd)
    },
    fdatasync: (fd: number, done: (error: Error | null) => void) => {
      const disk = world && diskOf()
      if (disk) disk.sync(done)
      else fdatasync(fd, done)
    },
  })
}
