import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { Keeper } from '../../src/notice/keeper.ts'
import { takeNews, toldMail } from '../../src/notice/news.ts'
import type { Runtime } from '../../src/notice/runtime.ts'
import { instanceOf, SessionDir } from '../../src/notice/session-dir.ts'
import { noteState } from '../../src/notice/session-state.ts'
import type { History, Told } from '../checker/history.ts'
import { type KeeperLine, keeperClient } from './keeper-client.ts'
import { between, type Random } from './random.ts'
import type { SimProcess, World } from './world.ts'

/** Interval of a session's heartbeats, in ms. */
const beatMs = 5000

/** Time for which a session that drops a wake stays idle, in ms: long enough for every rung, and for its turn to end. */
const idleMs = 7000

export interface SessionOptions extends KeeperLine {
  world: World
  history: History
  random: Random
  /** Name of the machine. */
  inbox: string
  /** Directory of the machine's home, which its sessions share. */
  home: string
  /** Every process of the machine's sessions, by its id. */
  processes: Map<number, SimProcess>
  /** Project of the session; without one it reads all messages. */
  project?: string
  /** Projects of the messages that have one, by id. */
  projects: ReadonlyMap<string, string>
  /** Reports whether the machine runs. */
  isUp(): boolean
  /** Sends a heartbeat. Resolves with the number of unread messages. */
  beat(session: string): Promise<number>
  /** Reads the inbox for a session. Resolves with the ids that it is about to show, or none if no hub responds. */
  read(client: string): Promise<string[]>
  /** Reports that a session was given these messages. Resolves with whether the hub confirmed it. */
  fetched(ids: string[], session: string): Promise<boolean>
}

/**
 * Successive sessions of Claude Code under one key. Each has a process that begins turns, runs hooks and takes wakes, which is a model, and
 * a server, which is a process with the program's own keeper.
 */
export class Session {
  readonly #key: string
  readonly #options: SessionOptions
  readonly #dir: SessionDir
  #generation = 0
  /** Id of the current session at the hub, and its number in the history. */
  #id = ''
  #op = 0
  #claude: SimProcess | undefined
  #server: SimProcess | undefined
  #keeper: Keeper | undefined
  #line = new AbortController()
  /** Messages of which the current session was notified. */
  #notified = new Set<string>()
  /** Messages that the current or an earlier session has read. */
  readonly #read = new Set<string>()
  #isBusy = false
  #idleUntil = 0
  #isCalm = false

  constructor(key: string, options: SessionOptions) {
    this.#key = key
    this.#options = options
    this.#dir = new SessionDir(key, options.home)
  }

  /** Starts a new session, whose user occasionally types a prompt. */
  start(): void {
    const { world, history, inbox, home, project } = this.#options
    this.#id = `${inbox}-${this.#key}.${++this.#generation}`
    this.#op = history.begin({ kind: 'session', inbox, session: this.#id, ...(project && { project }) })
    this.#notified = new Set()
    this.#isBusy = false
    this.#idleUntil = 0
    this.#claude = world.boot(`${this.#id} claude`)
    mkdirSync(home, { recursive: true })
    writeFileSync(join(home, 'config.json'), '{}')
    world.as(this.#claude, () => {
      noteState(this.#dir, { hook_event_name: 'SessionStart', source: 'startup' }, this.#instance, { at: Date.now() })
      this.#startServer()
      void this.#works().catch(error => world.fail(error))
    })
  }

  /** Ends the session without warning. */
  kill(): void {
    if (!this.isAlive) return
    this.#killServer()
    this.#claude!.isAlive = false
    this.#options.history.end(this.#op, { type: 'unknown', why: 'the session has ended' })
  }

  /** From now on, the session takes every wake, does not read on its own, and does not end. */
  stop(): void {
    this.#isCalm = true
  }

  /** Ends the processes at the end of a history, in which the session still counts as running. */
  close(): void {
    for (const process of [this.#claude, this.#server]) if (process) process.isAlive = false
    this.#line.abort()
  }

  get isAlive(): boolean {
    return this.#claude?.isAlive === true
  }

  /** Reports whether the current session was notified of message `id`, or any session has read it. */
  wasNotified(id: string): boolean {
    return this.#read.has(id) || (this.isAlive && this.#notified.has(id))
  }

  /** Reports whether message `id` is for this session's project or for none. */
  reads(id: string): boolean {
    const { project, projects } = this.#options
    return project === undefined || (projects.get(id) ?? project) === project
  }

  get #env(): NodeJS.ProcessEnv {
    const { home } = this.#options
    const socket = `/nowhere/${this.#key}.sock`
    return {
      CLAUDE_CODE_MESSAGING_SOCKET: socket,
      CLAUDE_CODE_MESSAGING_TOKEN: this.#id,
      CLAUDE_CONFIG_DIR: join(home, 'claude'),
    }
  }

  get #instance(): string | undefined {
    return instanceOf(this.#env)
  }

  #startServer(): void {
    const { world, processes } = this.#options
    const server = world.boot(`${this.#id} server`)
    const pid = 1000 + processes.size
    processes.set(pid, server)
    this.#server = server
    this.#line = new AbortController()
    const runtime: Runtime = {
      ...{ pid, place: 'sim', now: () => world.wallClock(), monotonic: () => world.monotonic() },
      after: (ms, work) => world.as(server, () => world.schedule('keeper', ms, work)),
      isRunning: other => processes.get(other as number)?.isAlive === true,
    }
    world.as(server, () => {
      const client = keeperClient(this.#options, server, this.#line.signal)
      const keeper = new Keeper({
        ...{ key: this.#key, session: this.#id, home: this.#options.home, env: this.#env, claude: 0, runtime },
        client: () => client,
        scope: () => this.#options.project,
        // As in a client that does not show channels.
        pushChannel: async () => this.#tell({ kind: 'released' }),
        report: error => world.fail(error),
        writeToSocket: async () => this.#takesWake(),
      })
      this.#keeper = keeper
      keeper.start()
      void this.#beats(keeper)
    })
  }

  #killServer(): void {
    if (!this.#server?.isAlive) return
    this.#server.isAlive = false
    this.#line.abort()
    this.#tell({ kind: 'released' })
  }

  async #beats(keeper: Keeper): Promise<void> {
    const { world, beat } = this.#options
    for (;;) {
      const unread = await beat(this.#id).catch(() => undefined)
      if (unread !== undefined) keeper.onUnreadCount(unread)
      await world.sleep(beatMs, 'beat')
    }
  }

  /** Begins turns, and occasionally loses its server or ends. */
  async #works(): Promise<void> {
    const { world, random } = this.#options
    for (;;) {
      await world.sleep(this.#isCalm ? between(random, 200, 1000) : between(random, 30, 500), 'prompt')
      if (world.now >= this.#idleUntil) await this.#turn()
      const chance = random()
      if (this.#isCalm || chance > 0.25) continue
      if (chance < 0.08) {
        this.#killServer()
        world.schedule('the server starts', between(random, 100, 2000), () => this.#startServer())
        await world.sleep(2000, 'without a server')
      } else {
        if (chance < 0.13 && this.#server?.isAlive) await world.as(this.#server, () => this.#keeper!.close())
        const generation = this.#generation
        // A machine that is killed meanwhile starts its sessions itself.
        world.scheduleOutside('a session starts', between(random, 100, 1000), () => {
          if (this.#generation === generation && this.#options.isUp()) this.start()
        })
        this.kill()
        return
      }
    }
  }

  /** Simulates a turn of Claude: hooks at its beginning and end, and sometimes a read of the inbox. */
  async #turn(): Promise<void> {
    if (this.#isBusy) return
    const { world, random } = this.#options
    this.#isBusy = true
    this.#hook('UserPromptSubmit')
    await world.sleep(between(random, 10, 200), 'turn')
    const server = this.#server
    if (random() < 0.3 && server?.isAlive && !this.#isCalm) world.as(server, () => void this.#reads())
    this.#hook('Stop')
    this.#isBusy = false
  }

  #hook(event: 'UserPromptSubmit' | 'Stop'): void {
    const input = { hook_event_name: event, permission_mode: 'default' }
    noteState(this.#dir, input, this.#instance, { at: Date.now() })
    if (event === 'Stop') return
    for (const { kind, id } of takeNews(this.#dir)) if (kind === 'mail') this.#notify(id, 'hook')
  }

  async #reads(): Promise<void> {
    const { read, fetched } = this.#options
    const [id, keeper] = [this.#id, this.#keeper!]
    const ids = (await read(id)).filter(each => this.reads(each))
    if (ids.length === 0) return
    keeper.shown(ids)
    for (const each of ids) this.#notify(each, 'read')
    if (await fetched(ids, id)) keeper.fetched(ids)
  }

  /** Whether the session accepts a wake. It may refuse it, or drop it after accepting it, unless it is in a turn. */
  #takesWake(): boolean {
    const { world, random } = this.#options
    const chance = random()
    if (chance < 0.2 && !this.#isCalm && !this.#isBusy) {
      this.#tell({ kind: 'released' })
      if (chance < 0.1) return false
      this.#idleUntil = world.now + idleMs
      return true
    }
    for (const id of toldMail(this.#dir)) if (!this.#notified.has(id)) this.#notify(id, 'wake')
    this.#idleUntil = 0
    world.as(this.#claude!, () => world.schedule('a wake', between(random, 10, 500), () => void this.#turn()))
    return true
  }

  #notify(id: string, by: 'hook' | 'wake' | 'read'): void {
    this.#notified.add(id)
    if (by === 'read') this.#read.add(id)
    this.#tell({ kind: 'notified', id, by, at: this.#options.world.now })
  }

  #tell(told: Extract<Told, { kind: 'notified' | 'released' }>): void {
    if (this.isAlive) this.#options.history.recordEvent(this.#op, told)
  }
}
