import type { Outbox } from '../../src/client/outbox.ts'
import type { Followed } from '../../src/hub/push/follow.ts'
import { ClaudeNetError } from '../../src/protocol/errors.ts'
import { parseCursor } from '../../src/protocol/events.ts'
import type { Act, History, Results } from '../checker/history.ts'
import type { Answers, Request } from './door.ts'
import type { Activity } from './faults.ts'
import { HomeDisk } from './home-disk.ts'
import type { HubNode } from './hub-node.ts'
import type { Network } from './network.ts'
import { between, pick, type Random } from './random.ts'
import { isUndecided, openOutbox } from './sim-outbox.ts'
import type { SimProcess, World } from './world.ts'

/** How often a session says that it lives, in ms. */
const beatMs = 5000

/** A send as its sender keeps it until it is answered, over its own death. */
interface Kept {
  act: Extract<Act, { kind: 'send' }>
  request: Extract<Request, { kind: 'send' }>
}

export interface MachineOptions {
  world: World
  network: Network
  history: History
  random: Random
  nodes: readonly HubNode[]
  /** The names of all machines. */
  names: readonly string[]
  /** Whether an answer may come from a hub that is behind: the machine then asks for what it knows at least. */
  mayLag: boolean
  mintId: () => string
  does: readonly Activity[]
  /** Where its home is. */
  dir: string
}

/** A machine with an inbox: sends and keeps what is not answered, reads and acks, follows its inbox, and says that it lives. */
export class Machine {
  readonly name: string
  /** What its streams have told of, ever. */
  readonly told = new Set<string>()
  /** The longest time from the first try of a send to its answer, in ms. */
  worstSendMs = 0
  process: SimProcess
  readonly #options: MachineOptions
  /** What its other sender, which repeats until it is answered, has under way; it survives the machine. */
  readonly #kept: (Kept | undefined)[] = [undefined]
  readonly disk: HomeDisk
  #outbox: Outbox | undefined
  /** The operations of sends that went through the outbox and are not decided, by id. */
  readonly #open = new Map<string, number>()
  readonly #sent: string[] = []
  #shown: string[] = []
  #node: number
  /** The highest seq of which it knows. */
  #known = 0
  #cursor: string | undefined
  #stream = new AbortController()
  #isStopping = false
  #lives: Promise<unknown> = Promise.resolve()
  #generation = 0

  constructor(name: string, options: MachineOptions) {
    this.name = name
    this.#options = options
    this.#node = Math.floor(options.random() * options.nodes.length)
    this.process = options.world.boot(name)
    this.disk = new HomeDisk(options.dir)
  }

  /** Begins, also anew after a crash: what it kept goes on, what it had in memory is gone. */
  start(): void {
    const { world } = this.#options
    this.process = world.boot(`${this.name}.${++this.#generation}`)
    this.#cursor = undefined
    this.#shown = []
    this.#known = 0
    this.#stream = new AbortController()
    this.#lives = world.as(this.process, () => {
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
    this.#lives.catch(error => world.fail(error))
  }

  /** Ends it without warning; it comes back by itself. */
  crash(kind: 'kill' | 'power'): void {
    const { world, random } = this.#options
    this.process.isAlive = false
    this.#stream.abort()
    if (kind === 'power') this.disk.losePower(random)
    world.scheduleOutside(`${this.name} starts`, 200 + this.#options.random() * 1000, () => this.start())
  }

  /** Whether nothing waits for an answer. */
  get isIdle(): boolean {
    return this.#kept.every(kept => kept === undefined) && (this.#outbox?.waiting().length ?? 0) === 0
  }

  get isAlive(): boolean {
    return this.process.isAlive
  }

  /** Begins nothing new from now on. */
  stop(): void {
    this.#isStopping = true
  }

  /** Resolves when all that was begun before `stop` was answered. */
  async finished(): Promise<void> {
    const { world } = this.#options
    // A machine that was just killed comes back first.
    while (!this.isAlive) await world.sleep(100)
    await this.#lives
  }

  close(): void {
    this.#stream.abort()
    this.process.isAlive = false
  }

  async #sends(line: number): Promise<void> {
    const { world, random } = this.#options
    for (;;) {
      const kept = this.#kept[line]
      if (kept) await this.#untilAnswered(kept, line)
      if (this.#isStopping) return
      await world.sleep(between(random, 10, 400), 'think')
      if (!this.#isStopping) this.#kept[line] = this.#write()
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

  /** Through the program's own outbox: what gets no answer is kept there, also over its death. */
  async #sendsByOutbox(): Promise<void> {
    const { world, random, history } = this.#options
    while (!this.#isStopping) {
      await world.sleep(between(random, 10, 400), 'think')
      if (this.#isStopping) return
      const { act, request } = this.#write()
      const op = history.begin({ ...act, lane: `${this.name}'s outbox` })
      this.#open.set(act.id, op)
      try {
        const sent = await this.#outbox!.send(request.body)
        if (sent.kept) history.keep(op)
        else this.#decided(act.id, sent.answer)
      } catch (error) {
        this.#decided(act.id, error as Error)
      }
      if (random() < 0.3) this.#moveOn()
    }
  }

  /** Sends what waits, until nothing does in the end. */
  async #drains(): Promise<void> {
    const { world, random } = this.#options
    while (!this.#isStopping || this.#outbox!.waiting().length > 0) {
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

  #write(): Kept {
    const { random, names, mintId } = this.#options
    const [id, chance] = [mintId(), random()]
    const others = names.filter(name => name !== this.name)
    const to = chance < 0.2 ? ['all'] : chance < 0.3 && others.length > 1 ? others.slice(0, 2) : [pick(random, names)]
    const replyTo = this.#shown.length > 0 && random() < 0.15 ? pick(random, this.#shown) : undefined
    const expiresInS = random() < 0.1 ? 1 + Math.floor(random() * 6) : undefined
    const body = `${this.name} writes ${id.slice(-6)}${'.'.repeat(random() * random() * 3000)}`
    const request: Kept['request'] = {
      kind: 'send',
      by: this.name,
      body: { id, to, body, replyTo, ...(expiresInS !== undefined && { expiresInS, intent: 'inform' }) },
    }
    const act: Kept['act'] = {
      kind: 'send',
      id,
      from: this.name,
      to: to[0] === 'all' ? others : to,
      body,
      ...(replyTo !== undefined && { replyTo }),
      ...(expiresInS !== undefined && { mayExpire: true }),
    }
    return { act, request }
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

  async #reads(): Promise<void> {
    const { world, random, mayLag } = this.#options
    while (!this.#isStopping) {
      await world.sleep(between(random, 20, 500), 'think')
      const by = this.name
      const least = mayLag ? { atLeast: this.#known } : {}
      const { answer } = await this.#do<'read'>(
        { kind: 'read', inbox: by, ...least },
        { kind: 'read', by, atLeast: this.#known },
      )
      const shown = answer?.messages.map(({ id }) => id) ?? []
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

  /** Once, and after an unknown end mostly again. */
  async #acks(ids: string[]): Promise<void> {
    const { random } = this.#options
    for (let tries = 0; tries < 5; tries++) {
      const { ended } = await this.#do({ kind: 'ack', inbox: this.name, ids }, { kind: 'ack', by: this.name, ids })
      if (ended !== 'unknown' || random() < 0.3) return
    }
  }

  /** Asks for the receipts of what it sent. */
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
      history.tell(op, { kind: 'inbox', id: data.id, seq: data.seq, from: data.from })
    } else {
      const { id, seq, recipient, status } = data
      history.tell(op, { kind: 'receipt', id, seq, recipient, status })
    }
    this.#cursor = cursor ?? this.#cursor
    // Of several events with one seq the last alone has a cursor: only then all of it is known.
    if (cursor !== undefined) this.#known = Math.max(this.#known, data.seq)
  }

  /** Asks the hub, and notes what it was asked and how it ended. */
  async #do<Kind extends keyof Answers>(
    act: Act & { kind: Kind },
    request: Request & { kind: Kind },
  ): Promise<{ ended: 'ok' | 'fail' | 'unknown'; answer?: Answers[Kind] }> {
    const { network, history } = this.#options
    const op = history.begin(act)
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
