import { join } from 'node:path'
import { Hub } from '../../src/hub/hub.ts'
import { LocalJournal } from '../../src/hub/journal/local.ts'
import { LogJournal } from '../../src/hub/journal/log-journal.ts'
import { SteadyClock } from '../../src/hub/journal/steady-clock.ts'
import type { Followed } from '../../src/hub/push/follow.ts'
import { State } from '../../src/hub/state/state.ts'
import { ClaudeNetError } from '../../src/protocol/errors.ts'
import { parseCursor } from '../../src/protocol/events.ts'
import type { SimDisk } from './ambient.ts'
import { answer, isMember, memberOf, type Request, withDelivery } from './door.ts'
import type { Faults } from './faults.ts'
import type { SharedLog } from './shared-log.ts'
import { StoreDisk } from './store-disk.ts'
import type { SimProcess, World } from './world.ts'

/** Receiver of a stream of a hub. */
export interface StreamEnd {
  tell(event: Followed): void
  ready(cursor: string): void
  end(): void
  /** Whether the messages themselves are sent with their events, once the backlog has ended. */
  withDelivery?: boolean
  /** Project of the reader. */
  scope?: string | undefined
}

/** Time for which a request waits if the hub is behind the seq that it requires, in ms. */
const lagPatienceMs = 1000

/** Time a session may stay silent before it counts as offline, in ms: see `PresenceOptions`. */
export const silenceMs = 15_000

/** Limits of the time that a hub is down after it ended, in ms. */
const downMs = { least: 20, most: 1500 }

export interface HubNodeOptions {
  world: World
  faults: Faults
  /** Log that it shares; without one, its journal is local. */
  log?: SharedLog
  root: string
  template: string
  /** Called with a failure of the program that no simulated fault may cause. */
  onBroken: (what: string) => void
}

/** A hub that is started, killed and restarted: the program's own journal, state, push and handlers, in a process of the simulation. */
export class HubNode {
  readonly name: string
  readonly disk: StoreDisk
  process: SimProcess | undefined
  hub: Hub | undefined
  starts = 0
  /** Longest time it was down, in ms. */
  worstAwayMs = 0
  readonly #options: HubNodeOptions
  readonly #streams = new Set<AbortController>()
  /** Last heartbeat of each session that this process accepted. */
  readonly #beats = new Map<string, { by: string; at: number }>()
  #awaySince: number | undefined
  #skewMs = 0
  #isFull = false

  constructor(name: string, options: HubNodeOptions) {
    this.name = name
    this.#options = options
    this.disk = new StoreDisk(join(options.root, name), options.template)
  }

  get isUp(): boolean {
    return this.hub !== undefined && this.process?.isAlive === true
  }

  /** Starts the hub, and resolves when it serves or the start failed. A failed start is retried later. */
  async start(): Promise<void> {
    const { world, faults } = this.#options
    const process = world.boot(this.name)
    process.skewMs = this.#skewMs
    this.process = process
    this.starts++
    try {
      await world.as(process, () => this.#open(process))
      if (!process.isAlive) return
      if (this.#awaySince !== undefined) this.worstAwayMs = Math.max(this.worstAwayMs, world.now - this.#awaySince)
      this.#awaySince = undefined
    } catch (error) {
      if (!process.isAlive) return
      world.note(`${this.name} does not start: ${(error as Error).message}`)
      if (!isSimulatedError(error)) this.#options.onBroken(`${this.name} does not start: ${(error as Error).message}`)
      this.#end('kill', faults.random() * 1000)
    }
  }

  async #open(process: SimProcess): Promise<void> {
    const { world, log, onBroken } = this.#options
    const state = new State(join(this.disk.dir, 'hub.db'))
    this.#state = state
    const clock = new SteadyClock({ last: state.position, now: Date.now, monotonic: () => performance.now() })
    const journal = log
      ? await LogJournal.open(state, log.connect(this.name), { clock })
      : new LocalJournal(state, clock)
    if (!process.isAlive) return
    const hub = new Hub({
      state,
      journal,
      dataDir: this.disk.dir,
      silenceMs,
      onBug: (entry, error) => onBroken(`${entry.command.type} threw: ${(error as Error).message}`),
      onDamage: error => onBroken(`the store of ${this.name} is damaged: ${error.message}`),
      onStorageError: (error, fatal) => {
        world.note(`${this.name} storage error ${(error as Error).message}`)
        if (!process.isAlive) return
        if (!isSimulatedError(error)) onBroken(`${this.name} stopped: ${(error as Error).stack}`)
        if (fatal) this.crash('kill')
      },
    })
    // The reading thread is not simulated.
    hub.reader.ask = () => Promise.reject(new Error('not in the simulation'))
    this.hub = hub
  }

  #state: State | undefined

  /** Ends the hub without warning. It restarts by itself. */
  crash(kind: 'kill' | 'power'): void {
    if (!this.process?.isAlive) return
    const { world, faults } = this.#options
    world.note(`${this.name} ends: ${kind}`)
    this.#end(kind, downMs.least + faults.random() * downMs.most)
  }

  /** Stops the hub as an admin does, and restarts it. */
  async restart(): Promise<void> {
    const { hub, process } = this
    if (!hub || !process?.isAlive) return
    const { world } = this.#options
    world.note(`${this.name} is stopped`)
    await world.as(process, async () => {
      for (const stream of this.#streams) stream.abort()
      try {
        await hub.close()
      } catch (error) {
        world.note(`${this.name} close: ${(error as Error).message}`)
      }
      if (process.isAlive) this.#end('kill', downMs.least)
    })
  }

  #end(kind: 'kill' | 'power', downForMs: number): void {
    const { world, faults } = this.#options
    const [state, dir] = [this.#state, this.disk.dir]
    this.process!.isAlive = false
    this.hub = undefined
    this.#state = undefined
    this.#awaySince ??= world.now
    this.#beats.clear()
    this.disk.crash(kind, faults.random)
    for (const stream of this.#streams) stream.abort()
    this.#streams.clear()
    // The old files can be closed only when no code of that process is on the stack.
    world.scheduleOutside(`${this.name} is gone`, 0, () => {
      try {
        state?.close()
      } catch {
        // Its disk may have failed.
      }
      this.disk.forget(dir)
    })
    world.scheduleOutside(`${this.name} starts`, downForMs, () => void this.start().catch(error => world.fail(error)))
  }

  /** Returns the disk as the running process sees it. */
  simDisk(): SimDisk {
    const { world, faults } = this.#options
    const strike = (): Error | undefined => {
      if (faults.strikes('kill at sync')) this.crash('kill')
      else if (faults.strikes('power at sync')) this.crash('power')
      if (!this.process?.isAlive) return simulatedError('killed')
      if (!faults.strikes('sync fails')) return undefined
      this.disk.lose()
      return simulatedError('the disk fails')
    }
    return {
      syncNow: () => {
        if (!this.process?.isAlive) throw simulatedError('killed')
        world.block(faults.delay('disk'))
        const error = strike()
        if (error) throw error
        this.disk.settle(this.disk.written())
      },
      sync: done => {
        const { process } = this
        const written = this.disk.written()
        world.schedule('sync', faults.delay('disk'), () => {
          const error = strike()
          if (!process?.isAlive) return
          if (!error) this.disk.settle(written)
          done(error ?? null)
        })
      },
    }
  }

  stepClock(byMs: number): void {
    this.#skewMs += byMs
    if (this.process) this.process.skewMs = this.#skewMs
  }

  /** Fills its disk for `ms`: SQLite then fails when the database would have to grow. */
  fillDisk(ms: number): void {
    const { hub, process } = this
    const { world } = this.#options
    if (!hub || this.#isFull) return
    const set = (pages: number) => {
      try {
        hub.state.db.execute(`pragma max_page_count = ${pages}`)
      } catch {
        // The process may have ended.
      }
    }
    this.#isFull = true
    world.as(process!, () => set(1))
    world.scheduleOutside(`${this.name} has room again`, ms, () => {
      this.#isFull = false
      if (process!.isAlive) world.as(process!, () => set(1_000_000))
    })
  }

  /** Moves the write-ahead log into the database, as a backup does at its start. */
  checkpoint(): void {
    const { hub, process } = this
    if (hub && process?.isAlive)
      this.#options.world.as(process, () => {
        try {
          hub.state.db.holdCheckpoints()()
        } catch (error) {
          this.#options.world.note(`${this.name} checkpoint: ${(error as Error).message}`)
        }
      })
  }

  /** Handles a request as the door does. `at` is the seq that this hub had reached. */
  async answer(request: Request): Promise<{ answer: object; at: number }> {
    const { hub } = this
    if (!hub) throw unavailable()
    if ('atLeast' in request) await this.#caughtUp(hub, request.atLeast)
    this.#checkPresence(hub, request.by)
    const result = await answer(hub, request)
    if (request.kind === 'beat' && this.hub === hub)
      this.#beats.set(request.session, { by: request.by, at: this.#options.world.now })
    return { answer: result, at: hub.state.position.seq }
  }

  /** Reports sessions of `by` that are offline although their last heartbeat was recent in simulated time, whatever the wall clock shows. */
  #checkPresence(hub: Hub, by: string): void {
    const { world, onBroken } = this.#options
    let online: Set<string> | undefined
    for (const [session, beat] of this.#beats) {
      const silentMs = world.now - beat.at
      if (beat.by !== by || silentMs >= silenceMs - 2000) continue
      online ??= new Set(hub.presence.sessionsOf(memberOf(hub, by)).map(each => each.session))
      if (!online.has(session)) onBroken(`${session} is offline ${Math.round(silentMs)} ms after its heartbeat`)
    }
  }

  /** Returns the sessions of `by` that this hub counts as online. */
  sessionsOf(by: string): string[] {
    const { hub, process } = this
    if (!hub || !process || !isMember(hub, by)) return []
    return this.#options.world
      .as(process, () => hub.presence.sessionsOf(memberOf(hub, by)))
      .flatMap(({ session }) => session ?? [])
  }

  /** Opens a stream for `by` that continues from `cursor`. Returns a function that closes it. */
  async follow(by: string, cursor: string | undefined, end: StreamEnd): Promise<() => void> {
    const { hub } = this
    if (!hub) throw unavailable()
    const member = memberOf(hub, by)
    const from = cursor === undefined ? undefined : parseCursor(cursor)
    if (from && this.#options.log) await this.#caughtUp(hub, from.seq)
    const stream = new AbortController()
    this.#streams.add(stream)
    void (async () => {
      try {
        let isLive = false
        const onReady = (at: string) => {
          isLive = end.withDelivery === true
          end.ready(at)
        }
        for await (const event of hub.follow(member, from, stream.signal, {
          onReady,
          ...(end.scope !== undefined && { scope: end.scope }),
        }))
          end.tell(isLive ? withDelivery(hub, member, event) : event)
      } catch (error) {
        this.#options.world.note(`stream of ${by}: ${(error as Error).message}`)
      }
      end.end()
      this.#streams.delete(stream)
    })()
    return () => stream.abort()
  }

  async #caughtUp(hub: Hub, seq: number): Promise<void> {
    const { world } = this.#options
    for (const end = world.now + lagPatienceMs; hub.state.position.seq < seq; ) {
      if (world.now > end) throw unavailable()
      await world.sleep(20, 'behind')
    }
  }
}

export function unavailable(why = 'No hub answers.'): ClaudeNetError {
  return new ClaudeNetError('unavailable', why, 'Try again.')
}

/** Returns an error of a simulated component, such as a disk. */
function simulatedError(message: string): Error {
  return Object.assign(new Error(message), { code: 'EIO', isSimulated: true })
}

/** Reports whether an error was caused by a simulated fault and not by the program. */
function isSimulatedError(error: unknown): boolean {
  for (let each = error as (Error & { isSimulated?: true }) | undefined; each; each = each.cause as Error | undefined)
    if (each.isSimulated || /full|no answer of the log|killed/.test(each.message)) return true
  return false
}
