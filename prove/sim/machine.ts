import type { Outbox } from '../../src/client/outbox.ts'
import type { Followed } from '../../src/hub/push/follow.ts'
import { ClaudeNetError } from '../../src/protocol/errors.ts'
import { parseCursor } from '../../src/protocol/events.ts'
import type { Act, History, Results } from '../checker/history.ts'
import type { Answers, Request } from './door.ts'
import { drawSend, type Kept, toProject } from './draw-send.ts'
import type { Activity } from './faults.ts'
import { HomeDisk } from './home-disk.ts'
import type { HubNode } from './hub-node.ts'
import { machineSessions } from './machine-sessions.ts'
import type { Network } from './network.ts'
import { between, pick, type Random } from './random.ts'
import type { Session } from './session.ts'
import { isUndecided, openOutbox } from './sim-outbox.ts'
import type { SimProcess, World } from './world.ts'

/** Interval of heartbeats, in ms. */
const beatMs = 5000

export interface MachineOptions {
  world: World
  network: Network
  history: History
  random: Random
  nodes: readonly HubNode[]
  /** Names of all machines. */
  names: readonly string[]
  /** Whether hubs may be behind: the machine then requires at least the highest seq that it has seen. */
  mayLag: boolean
  mintId: () => string
  does: readonly Activity[]
  /** Directory of its home. */
  dir: string
  /** Number of its sessions, and the generator that they draw from. */
  sessions: number
  sessionRandom: Random
  /** Whether each session has a project, and some messages are for one. */
  haveProjects: boolean
  /** Projects of the messages that have one, by id; machines add those of their sends. */
  projects: Map<string, string>
}

/** A machine with an inbox: sends, stores sends without a response, reads, acks, follows its inbox and sends heartbeats. */
export class Machine {
  readonly name: string
  /** Ids of all messages that its streams have received. */
  readonly told = new Set<string>()
  /** Longest time from the first attempt of a send to its response, in ms. */
  worstSendMs = 0
  process: SimProcess
  readonly #options: MachineOptions
  /** Pending sends outside of the outbox, which are retried until they get a response; they survive a crash. */
  readonly #kept: (Kept | undefined)[] = [undefined]
  readonly disk: HomeDisk
  #outbox: Outbox | undefined
  /** Whether further sends may reach the outbox. */
  #isSending = false
  /** Operations of inconclusive sends through the outbox, by message id. */
  readonly #open = new Map<string, number>()
  readonly #sent: string[] = []
  #shown: string[] = []
  #node: number
  /** Highest seq that it has seen. */
  #known = 0
  #cursor: string | undefined
  #stream = new AbortController()
  #isStopping = false
  #activities: Promise<unknown> = Promise.resolve()
  #generation = 0
  readonly #sessions: readonly Session[]

  constructor(name: string, options: MachineOptions) {
    this.name = name
    this.#options = options
    this.#node = Math.floor(options.random() * options.nodes.length)
    this.process = options.world.boot(name)
    this.disk = new HomeDisk(options.dir)
    this.#sessions = this.#makeSessions()
  }

  /** Starts the machine, also after a crash: stored sends continue, memory is lost. */
  start(): void {
    const { world } = this.#options
    this.process = world.boot(`${this.name}.${++this.#generation}`)
    this.#cursor = undefined
    this.#shown = []
    this.#known = 0
    this.#stream = new AbortController()
    this.#activities = world.as(this.process, () => {
      void this.#follows()
      void this.#beats()
      const { does } = this.#options
      const lives: Promise<void>[] = []
      if (does.includes('outbox')) this.#outbox = this.#openOutbox()
      if (does.includes('send')) lives.push(this.#sends(0))
      if (does.includes('outbox')) lives.push(this.#sendsByOutbox(), this.#drains())
      lives.push(this.#reads())
      if (does.includes('receipts')) lives.push(this.#asks())
      return Promise.all(lives)
    })
    this.#activities.catch(error => world.fail(error))
    for (const session of this.#sessions) session.start()
  }

  /** Ends the machine without warning. It restarts by itself. */
  crash(kind: 'kill' | 'power'): void {
    const { world, random } = this.#options
    this.process.isAlive = false
    this.#stream.abort()
    for (const session of this.#sessions) session.kill()
    if (kind === 'power') this.disk.losePower(random)
    world.scheduleOutside(`${this.name} starts`, 200 + this.#options.random() * 1000, () => this.start())
  }

  /** Whether no send waits for a response. */
  get isIdle(): boolean {
    return this.#kept.every(kept => kept === undefined) && (this.#outbox?.waiting().length ?? 0) === 0
  }

  get isAlive(): boolean {
    return this.process.isAlive
  }

  /** Starts no more operations. */
  stop(): void {
    this.#isStopping = true
    for (const session of this.#sessions) session.stop()
  }

  /** Resolves when all operations started before `stop` have ended. */
  async finished(): Promise<void> {
    const { world } = this.#options
    // A machine that was just killed restarts first.
    while (!this.isAlive) await world.sleep(100)
    await this.#activities
  }

  close(): void {
    this.#stream.abort()
    this.process.isAlive = false
    for (const session of this.#sessions) session.close()
  }

  /** Returns those of `ids` that are for one of its sessions, but of which none was notified. */
  unnotified(ids: readonly string[]): string[] {
    const some = (claim: (session: Session) => boolean) => this.#sessions.some(claim)
    return ids.filter(id => some(session => session.reads(id)) && !some(session => session.wasNotified(id)))
  }

  #makeSessions(): Session[] {
    const { world, network, history, sessions: count, sessionRandom: random, dir: home, projects } = this.#options
    const by = this.name
    return machineSessions({
      ...{ world, history, random, by, home, count, haveProjects: this.#options.haveProjects, projects },
      isUp: () => this.isAlive,
      known: () => this.#known,
      ask: async request => {
        try {
          return (await network.call(by, this.#home, request)).answer as never
        } catch (error) {
          if (random() < 0.5) this.#moveOn()
          throw error
        }
      },
      read: async client => (await this.#read(client))?.messages.map(({ id }) => id) ?? [],
      fetched: async (ids, session) =>
        (await this.#do({ kind: 'fetched', inbox: by, ids, session }, { kind: 'fetched', by, ids, session })).ended ===
        'ok',
      follow: (cursor, on, signal) => network.follow(by, this.#home, cursor, on, signal),
    })
  }

  async #sends(line: number): Promise<void> {
    const { world, random } = this.#options
    for (;;) {
      const kept = this.#kept[line]
      if (kept) await this.#untilAnswered(kept, line)
      if (this.#isStopping) return
      await world.sleep(between(random, 10, 400), 'think')
      if (!this.#isStopping) this.#kept[line] = this.#draw()
    }
  }

  #openOutbox(): Outbox {
    const { network, names, world } = this.#options
    const ask = (request: Request) => network.call(this.name, this.#home, request)
    return openOutbox(this.disk.dir, {
      names,
      you: this.name,
      send: async body => {
        const { answer, at } = await ask({ kind: 'send', by: this.name, body: body as never })
        world.note(`${this.name} is answered`)
        this.#known = Math.max(this.#known, at)
        return { seq: (answer as { seq: number }).seq, at }
      },
      probe: async () => {
        await ask({ kind: 'beat', by: this.name, session: this.process.name })
      },
    })
  }

  /** Sends through the program's own outbox, which stores sends without a response, also across crashes. */
  async #sendsByOutbox(): Promise<void> {
    const { world, random, history } = this.#options
    this.#isSending = true
    for (;;) {
      await world.sleep(between(random, 10, 400), 'think')
      if (this.#isStopping) break
      const { act, request } = drawSend(this.name, this.#shown, this.#options)
      const op = history.begin({ ...act, lane: `${this.name}'s outbox` })
      this.#open.set(act.id, op)
      try {
        const sent = await this.#outbox!.send(request.body)
        if (sent.kept) history.recordKept(op)
        else this.#decided(act.id, sent.answer)
      } catch (error) {
        this.#decided(act.id, error as Error)
      }
      if (random() < 0.3) this.#moveOn()
    }
    this.#isSending = false
  }

  /** Drains the outbox repeatedly; after `stop`, until it is empty and stays empty. */
  async #drains(): Promise<void> {
    const { world, random } = this.#options
    while (this.#isSending || this.#outbox!.waiting().length > 0) {
      await world.sleep(between(random, 100, 800), 'drain')
      const { decided, waiting } = await this.#outbox!.drain()
      for (const [id, { outcome }] of decided) this.#decided(id, outcome)
      if (waiting > 0 && random() < 0.5) this.#moveOn()
    }
  }

  #decided(id: string, outcome: { seq: number } | Error): void {
    const { history } = this.#options
    const op = this.#open.get(id)
    if (op === undefined) return
    this.#open.delete(id)
    if (outcome instanceof Error)
      history.end(op, { type: isUndecided(outcome) ? 'unknown' : 'fail', why: outcome.message })
    else {
      this.#sent.push(id)
      history.end(op, { type: 'ok', result: { seq: outcome.seq } })
    }
  }

  #draw(): Kept {
    const { haveProjects, projects, sessionRandom } = this.#options
    const drawn = drawSend(this.name, this.#shown, this.#options)
    return haveProjects ? toProject(drawn, projects, sessionRandom) : drawn
  }

  async #untilAnswered(kept: Kept, line: number): Promise<void> {
    const { world, random } = this.#options
    const began = world.now
    for (;;) {
      const ended = (await this.#do(kept.act, kept.request)).ended
      if (ended !== 'unknown') {
        this.#kept[line] = undefined
        this.worstSendMs = Math.max(this.worstSendMs, world.now - began)
        if (ended === 'ok') this.#sent.push(kept.act.id)
        return
      }
      await world.sleep(between(random, 20, 300), 'try again')
    }
  }

  /** Reads the inbox as the session `client`. Resolves with undefined when there is no response. */
  async #read(client?: string): Promise<Results['read'] | undefined> {
    const by = this.name
    const least = this.#options.mayLag ? { atLeast: this.#known } : {}
    const request = { kind: 'read', by, atLeast: this.#known } as const
    return (await this.#do<'read'>({ kind: 'read', inbox: by, ...least }, request, client)).answer
  }

  async #reads(): Promise<void> {
    const { world, random } = this.#options
    while (!this.#isStopping) {
      await world.sleep(between(random, 20, 500), 'think')
      const shown = (await this.#read())?.messages.map(({ id }) => id) ?? []
      if (shown.length === 0) continue
      this.#shown = shown
      if (random() < 0.4) await this.#fetched(shown)
      const ids = shown.filter(() => random() < 0.6)
      if (ids.length > 0 && random() < 0.8) await this.#acks(ids)
    }
  }

  async #fetched(ids: string[]): Promise<void> {
    const session = this.process.name
    const by = this.name
    await this.#do({ kind: 'fetched', inbox: by, ids, session }, { kind: 'fetched', by, ids, session })
  }

  /** Acks once; after an unknown end, mostly repeats it. */
  async #acks(ids: string[]): Promise<void> {
    const { random } = this.#options
    for (let tries = 0; tries < 5; tries++) {
      const { ended } = await this.#do({ kind: 'ack', inbox: this.name, ids }, { kind: 'ack', by: this.name, ids })
      if (ended !== 'unknown' || random() < 0.3) return
    }
  }

  /** Requests receipts of messages that it sent. */
  async #asks(): Promise<void> {
    const { world, random, mayLag } = this.#options
    while (!this.#isStopping) {
      await world.sleep(between(random, 50, 1000), 'think')
      if (this.#sent.length === 0) continue
      const id = pick(random, this.#sent)
      const least = mayLag ? { atLeast: this.#known } : {}
      const request = { kind: 'receipts', by: this.name, id, atLeast: this.#known } as const
      await this.#do({ kind: 'receipts', of: this.name, id, ...least }, request)
    }
  }

  async #beats(): Promise<void> {
    const { world, network } = this.#options
    for (;;) {
      const request = { kind: 'beat', by: this.name, session: this.process.name } as const
      await network.call(this.name, this.#home, request).catch(() => this.#moveOn())
      await world.sleep(beatMs, 'beat')
    }
  }

  async #follows(): Promise<void> {
    const { world, network, history, random } = this.#options
    while (!this.#stream.signal.aborted) {
      const after = this.#cursor === undefined ? undefined : parseCursor(this.#cursor)?.seq
      const op = history.begin({ kind: 'follow', inbox: this.name, ...(after !== undefined && { after }) })
      const tell = (event: Followed) => this.#hear(op, event)
      const ready = (cursor: string) => (this.#cursor = cursor)
      await network.follow(this.name, this.#home, this.#cursor, { tell, ready }, this.#stream.signal)
      history.end(op, { type: 'unknown', why: 'the stream has ended' })
      if (random() < 0.2) this.#moveOn()
      await world.sleep(between(random, 50, 500), 'connect again')
    }
  }

  #hear(op: number, { event, data, cursor }: Followed): void {
    const { history } = this.#options
    if (event === 'inbox') {
      this.told.add(data.id)
      history.recordEvent(op, { kind: 'inbox', id: data.id, seq: data.seq, from: data.from })
    } else {
      const { id, seq, recipient, status } = data
      history.recordEvent(op, { kind: 'receipt', id, seq, recipient, status })
    }
    this.#cursor = cursor ?? this.#cursor
    // Of several events with one seq, only the last has a cursor: only then have all of them arrived.
    if (cursor !== undefined) this.#known = Math.max(this.#known, data.seq)
  }

  /** Sends a request to the hub, and records the operation and how it ended. */
  async #do<Kind extends keyof Answers>(
    act: Act & { kind: Kind },
    request: Request & { kind: Kind },
    // After a restart it has no memory of its reads, so it counts as another client.
    client = this.process.name,
  ): Promise<{ ended: 'ok' | 'fail' | 'unknown'; answer?: Answers[Kind] }> {
    const { network, history } = this.#options
    const op = history.begin(act, client)
    try {
      const { answer, at } = await network.call(this.name, this.#home, request)
      this.#known = Math.max(this.#known, at)
      history.end(op, { type: 'ok', result: { ...answer, at } as Results[Act['kind']] })
      return { ended: 'ok', answer: answer as Answers[Kind] }
    } catch (error) {
      if (!(error instanceof ClaudeNetError)) throw error
      const type = error.settled ? 'fail' : 'unknown'
      history.end(op, { type, why: error.message })
      if (type === 'unknown' && this.#options.random() < 0.5) this.#moveOn()
      return { ended: type }
    }
  }

  get #home(): HubNode {
    return this.#options.nodes[this.#node]!
  }

  #moveOn(): void {
    this.#node = (this.#node + 1) % this.#options.nodes.length
  }
}
