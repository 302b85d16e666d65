import { mkdirSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { State } from '../../src/hub/state/state.ts'
import { check, type InboxDump, type Violation } from '../checker/check.ts'
import { History } from '../checker/history.ts'
import { enter } from './ambient.ts'
import { isMember, shownTo } from './door.ts'
import { activities, Faults, type Plan } from './faults.ts'
import { HubNode, silenceMs } from './hub-node.ts'
import { Machine } from './machine.ts'
import { Network } from './network.ts'
import { between, chanceOf, pick } from './random.ts'
import { SharedLog } from './shared-log.ts'
import { Stuck, World } from './world.ts'

/** Time limit for all operations to end once faults have stopped, in simulated ms. */
const calmLimitMs = 120_000

/** Time at the end without activity, in simulated ms, in which unexpected events would arrive. */
const quietMs = 800

/** Maximum time at the end until a session is notified of each unread message, in simulated ms: shorter than a turn. */
const noticeMs = 30_000

/** Time in which a running hub must notice that a session has been silent for too long, in ms. */
const graceMs = 5000

/** Page size that exceeds the number of messages in any simulation. */
const everything = 100_000

/** A failure that the program reports or shows, outside of the checker. */
export type Broken = { kind: 'broken' | 'stuck' | 'diverged'; text: string }

/** Result of one simulation. */
export interface Report {
  plan: Plan
  violations: (Violation | Broken)[]
  /** Digest of the whole schedule: the same for the same plan. */
  digest: string
  struck: Faults['struck']
  history: History
  counts: Counts
}

export interface Counts {
  steps: number
  acknowledged: number
  operations: number
  starts: number
  /** Longest time that a hub was down, and that a send waited for its response, in simulated ms. */
  worstAwayMs: number
  worstSendMs: number
  simulatedMs: number
  /** Inboxes for which the search for an order was given up. */
  undecided: number
}

/** Runs simulations one after the other, in `root`, a directory in memory. */
export class Simulator {
  readonly #root: string
  readonly #template: string

  constructor(root: string) {
    this.#root = root
    mkdirSync(root, { recursive: true })
    this.#template = join(root, 'template.db')
    new State(this.#template).close()
  }

  /** Plays `plan` from its beginning to a quiet end, and checks the history of its clients. */
  async run(plan: Plan): Promise<Report> {
    const dir = join(this.#root, 'run')
    rmSync(dir, { recursive: true, force: true })
    const simulation = new Simulation(plan, dir, this.#template)
    try {
      return await simulation.run()
    } finally {
      simulation.close()
      rmSync(dir, { recursive: true, force: true })
    }
  }

  close(): void {
    rmSync(this.#root, { recursive: true, force: true })
  }
}

class Simulation {
  readonly #plan: Plan
  readonly #world: World
  readonly #faults: Faults
  readonly #history = new History()
  readonly #nodes: HubNode[]
  readonly #machines: Machine[]
  readonly #log: SharedLog | undefined
  readonly #broken: Broken[] = []
  #isStorm = false

  constructor(plan: Plan, root: string, template: string) {
    this.#plan = plan
    const world = new World(plan.seed)
    this.#world = world
    this.#faults = new Faults(plan, () => world.now)
    this.#log = plan.overLog ? new SharedLog(world, this.#faults) : undefined
    const onBroken = (text: string) => this.#broken.push({ kind: 'broken', text })
    this.#nodes = Array.from(
      { length: plan.hubs },
      (_, index) =>
        new HubNode(`hub${index + 1}`, { world, faults: this.#faults, log: this.#log, root, template, onBroken }),
    )
    const network = new Network(world, this.#faults, onBroken)
    const names = ['ana', 'ben', 'cat', 'dan', 'eve'].slice(0, plan.clients)
    const projects = new Map<string, string>()
    let minted = 0
    const mintId = () => `00000000-0000-7000-8000-${String(++minted).padStart(12, '0')}`
    this.#machines = names.map(
      name =>
        new Machine(name, {
          ...{ world, network, names, mintId, history: this.#history, nodes: this.#nodes },
          random: chanceOf(plan.seed, name),
          mayLag: plan.hubs > 1,
          does: plan.does ?? activities,
          dir: join(root, name),
          sessions: plan.sessions ?? 0,
          sessionRandom: chanceOf(plan.seed, `sessions of ${name}`),
          haveProjects: plan.projects === true,
          projects,
        }),
    )
    world.onStep = process => {
      const node = this.#nodes.find(each => each.process === process)
      if (!node?.hub) return
      if (this.#faults.strikes('kill')) node.crash('kill')
      else if (this.#faults.strikes('power')) node.crash('power')
    }
    enter(
      world,
      () => this.#nodes.find(({ process }) => process === world.process)?.simDisk(),
      handle => this.#machines.find(({ process }) => process === world.process)?.disk.synced(handle),
    )
  }

  close(): void {
    enter(undefined)
    for (const { hub, disk } of this.#nodes) {
      try {
        hub?.state.close()
      } catch {
        // Its files are about to be deleted anyway.
      }
      disk.forget(disk.dir)
    }
  }

  async run(): Promise<Report> {
    const world = this.#world
    let dumps: InboxDump[] = []
    try {
      await world.until(this.#begin(), 60_000)
      await world.until(this.#storm(), this.#plan.seconds * 2000)
      await world.until(this.#settle(), calmLimitMs)
      dumps = this.#dump()
      this.#compareHubs()
    } catch (error) {
      if (error instanceof Stuck) {
        const waits = this.#machines.flatMap(machine => this.#unfinished(machine))
        this.#broken.push({ kind: 'stuck', text: [error.message, ...waits].join('; ') })
      } else this.#broken.push({ kind: 'broken', text: (error as Error).stack ?? String(error) })
    }
    let undecided = 0
    const onUndecided = () => undecided++
    const violations = check(this.#history.lines, dumps, { mayLag: this.#plan.hubs > 1, onUndecided })
    return {
      plan: this.#plan,
      violations: [...this.#broken, ...violations],
      digest: world.digest(),
      struck: this.#faults.struck,
      history: this.#history,
      counts: {
        steps: world.steps,
        acknowledged: this.#history.count('send', 'ok'),
        operations: this.#history.lines.filter(({ type }) => type === 'invoke').length,
        starts: this.#nodes.reduce((sum, { starts }) => sum + starts, 0),
        worstAwayMs: Math.max(...this.#nodes.map(({ worstAwayMs }) => worstAwayMs)),
        worstSendMs: Math.max(...this.#machines.map(({ worstSendMs }) => worstSendMs)),
        simulatedMs: world.now,
        undecided,
      },
    }
  }

  async #begin(): Promise<void> {
    for (const node of this.#nodes) await node.start()
    const [{ hub, process }] = this.#nodes as [HubNode]
    await this.#world.as(process!, async () => {
      for (const { name } of this.#machines) await hub!.submit({ type: 'member.add', name, kind: 'machine' })
    })
    await this.#level()
  }

  /** Resolves when every hub has applied the whole log. */
  async #level(): Promise<void> {
    const log = this.#log
    const isLevel = ({ hub, isUp }: HubNode) => isUp && (!log || hub!.state.position.offset === log.end)
    while (!this.#nodes.every(isLevel)) await this.#world.sleep(50, 'level')
  }

  async #storm(): Promise<void> {
    this.#faults.isCalm = false
    this.#isStorm = true
    for (const machine of this.#machines) machine.start()
    void this.#injectFaults().catch(error => this.#world.fail(error))
    await this.#world.sleep(this.#plan.seconds * 1000, 'storm')
    this.#faults.isCalm = true
    this.#isStorm = false
  }

  /** Injects the faults that may strike at any time: every half a second, or five times in a short plan. */
  async #injectFaults(): Promise<void> {
    const [world, faults] = [this.#world, this.#faults]
    const { random } = faults
    while (this.#isStorm) {
      await world.sleep(Math.min(500, this.#plan.seconds * 200), 'trouble')
      const node = pick(random, this.#nodes)
      const machine = pick(random, this.#machines)
      if (faults.strikes('restart')) void node.restart().catch(error => world.fail(error))
      if (faults.strikes('clock step')) node.stepClock(between(random, -1, 1) * (random() < 0.5 ? 90_000_000 : 5000))
      if (faults.strikes('stop') && node.process)
        node.process.busyUntil = world.now + between(random, 100, random() < 0.3 ? 20_000 : 3000)
      if (faults.strikes('full disk')) node.fillDisk(between(random, 100, 5000))
      if (faults.strikes('checkpoint')) node.checkpoint()
      if (faults.strikes('client killed') && machine.isAlive) machine.crash(random() < 0.5 ? 'kill' : 'power')
      if (faults.strikes('cut')) {
        const other = this.#log && random() < 0.5 ? 'log' : machine.name
        faults.cut(other, node.name, between(random, 200, 8000))
      }
    }
  }

  /** Waits, without faults, until every operation has ended and every unread message has been in a stream. */
  async #settle(): Promise<void> {
    for (const machine of this.#machines) machine.stop()
    for (const machine of this.#machines) await machine.finished()
    await this.#level()
    // The checker reports messages that are still without a notice after this time.
    const end = this.#world.now + noticeMs
    const isUntold = () => this.#machines.some(machine => this.#untold(machine).length > 0)
    const isUnnotified = () => this.#machines.some(machine => machine.unnotified(this.#unread(machine)).length > 0)
    // A hub may still be processing a send of a killed client, whose message then arrives in the quiet time.
    do {
      while (isUntold()) await this.#world.sleep(200, 'untold')
      while (this.#world.now < end && isUnnotified()) await this.#world.sleep(200, 'unnotified')
      await this.#world.sleep(quietMs, 'quiet')
    } while (this.#world.now < end && (isUntold() || isUnnotified()))
    for (const machine of this.#machines) machine.close()
    await this.#level()
    if (this.#faults.struck.some(({ name }) => name === 'clock step')) await this.#checkSilence()
  }

  /** Waits until every session has been silent for too long, and reports those that still count as online. */
  async #checkSilence(): Promise<void> {
    const world = this.#world
    const awakeAt = Math.max(world.now, ...this.#nodes.map(({ process }) => process?.busyUntil ?? 0))
    await world.sleep(awakeAt - world.now + silenceMs + graceMs, 'silence')
    for (const node of this.#nodes)
      for (const { name } of this.#machines)
        for (const session of node.sessionsOf(name))
          this.#broken.push({
            kind: 'broken',
            text: `${session} is online at ${node.name}, more than ${silenceMs} ms after its last heartbeat`,
          })
  }

  #unfinished(machine: Machine): string[] {
    const untold = this.#untold(machine)
    return [
      ...(machine.isIdle ? [] : [`${machine.name} waits for an answer`]),
      ...(untold.length > 0 ? [`no stream of ${machine.name} had ${untold.slice(0, 3).join(', ')}`] : []),
    ]
  }

  /** Returns the unread messages of a machine that none of its streams has received. */
  #untold(machine: Machine): string[] {
    const node = this.#nodes[0]!
    if (!node.isUp) return ['a hub is down']
    if (!isMember(node.hub!, machine.name)) return ['it is no member any more']
    return this.#unread(machine).filter(id => !machine.told.has(id))
  }

  #unread({ name }: Machine): string[] {
    const { hub, process } = this.#nodes[0]!
    return this.#world.as(process!, () => shownTo(hub!, name, everything)).messages.map(({ id }) => id)
  }

  #dump(): InboxDump[] {
    const { hub, process } = this.#nodes[0]!
    const { db } = hub!.state
    return this.#machines.map(({ name }) => {
      const rows = db.all<{ id: string; seq: number; from: string; body: string; acked: 0 | 1 }>(
        `select m.id, m.seq, s.name as "from", m.body, d.acked_at is not null as acked
         from delivery d join message m on m.seq = d.seq join member s on s.id = m.sender
         join member r on r.id = d.recipient where r.name = ? order by d.seq`,
        name,
      )
      const { messages, unread } = this.#world.as(process!, () => shownTo(hub!, name, everything))
      const ids = messages.map(({ id }) => id)
      return { inbox: name, rows: rows.map(row => ({ ...row, acked: row.acked === 1 })), unread: ids, count: unread }
    })
  }

  #compareHubs(): void {
    const [first, ...others] = this.#nodes.map(({ hub }) => hub!.state.position)
    for (const [index, other] of others.entries())
      if (other.hash !== first!.hash || other.outcomes !== first!.outcomes)
        this.#broken.push({ kind: 'diverged', text: `the state of hub${index + 2} differs from that of hub1` })
  }
}
