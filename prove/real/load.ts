import { setTimeout as delay } from 'node:timers/promises'
import { check, type InboxDump } from '../checker/check.ts'
import { History } from '../checker/history.ts'
import { chanceOf } from '../sim/random.ts'
import { type Cluster, type Credential, readAll } from './cluster.ts'
import type { Broken } from './fault.ts'
import { Member, type MemberOptions } from './member.ts'

/** How long it may take, once nothing goes wrong any more, until all that was begun has been answered, in ms. */
const calmLimitMs = 90_000

export interface LoadOptions {
  cluster: Cluster
  seed: number
  /** How many members there are. */
  members?: number
  timeoutMs?: number
  paceMs?: number
  /** Default: twice `paceMs`. */
  readPaceMs?: number
  /** Whether the checker searches for an order that explains each inbox, default true: too long for inboxes of thousands of messages. */
  searches?: boolean
  lanes?: number
  textLength?: number
  /** Whether members send to `all`, default true. False where the hub has more machines than these. */
  broadcasts?: boolean
  headers?: MemberOptions['headers']
  /** Where each member goes, counted from 0, in place of the addresses of the hubs themselves. */
  urls?: (member: number) => readonly URL[]
}

/** Members that use a cluster all at once, and the history of what they asked and were told. */
export class Load {
  readonly history = new History()
  readonly credentials: Credential[] = []
  /** What the program says or shows by itself to be wrong; the checker does not see it. */
  readonly violations: Broken[] = []
  /** Set by `end`. */
  dumps: InboxDump[] = []
  readonly #options: LoadOptions
  #members: Member[] = []

  constructor(options: LoadOptions) {
    this.#options = options
  }

  /** Joins the members. */
  async join(): Promise<void> {
    const { cluster, members = 4 } = this.#options
    for (let n = 1; n <= members; n++) this.credentials.push(await cluster.join(`m${n}`))
  }

  /** Joins the members where that is not done, and lets them begin. */
  async start(): Promise<void> {
    if (this.credentials.length === 0) await this.join()
    const { cluster, seed, timeoutMs = 3000, paceMs = 60, lanes = 2, textLength = 2000 } = this.#options
    const names = this.credentials.map(({ name }) => name)
    this.#members = this.credentials.map(
      (credential, at) =>
        new Member({
          credential,
          urls: this.#options.urls?.(at) ?? cluster.urls,
          names,
          broadcasts: this.#options.broadcasts ?? true,
          history: this.history,
          random: chanceOf(seed, credential.name),
          timeoutMs,
          paceMs,
          readPaceMs: this.#options.readPaceMs ?? 2 * paceMs,
          lanes,
          textLength,
          mayLag: cluster.checks.mayLag === true,
          headers: this.#options.headers,
        }),
    )
    for (const member of this.#members) member.start()
  }

  /** How many sends have been answered as stored, so far. */
  get acknowledged(): number {
    return this.#members.reduce((sum, member) => sum + member.acknowledged, 0)
  }

  /** The longest time in ms that a send took, over all its tries. */
  get worstSendMs(): number {
    return Math.max(0, ...this.#members.map(({ worstSendMs }) => worstSendMs))
  }

  /** Resolves once so many more sends have been answered; throws when that takes longer than `limitMs`. */
  async answered(count: number, limitMs = calmLimitMs): Promise<void> {
    const goal = this.acknowledged + count
    for (const began = performance.now(); this.acknowledged < goal; await delay(10))
      if (performance.now() - began > limitMs)
        throw new Error(`The members were not answered ${count} sends within ${limitMs} ms`)
  }

  /** Resolves once an operation has ended without an answer, or refused, for a reason that fits; throws after `limitMs`. */
  async heard(why: RegExp, limitMs = calmLimitMs): Promise<void> {
    const { lines } = this.history
    let at = lines.length
    for (const began = performance.now(); performance.now() - began < limitMs; await delay(10))
      for (; at < lines.length; at++) {
        const line = lines[at]!
        if ((line.type === 'unknown' || line.type === 'fail') && why.test(line.why)) return
      }
    throw new Error(`No member was told ${why} within ${limitMs} ms`)
  }

  /** Resolves when all that was begun has been answered and told by streams; the members are gone then. */
  async rest(): Promise<void> {
    await Promise.all(this.#members.map(member => member.finish()))
    await this.#untilTold()
    await this.close()
  }

  /** Ends the streams of all members; they open new ones from their last cursors on. */
  breakStreams(): void {
    for (const member of this.#members) member.breakStream()
  }

  /**
   * Heals the cluster, lets everything come to its end, reads all inboxes, stops the hubs, and returns what breaks a promise. What is not
   * answered, or not told by a stream, within 90 s counts as lost.
   */
  async end(): Promise<Broken[]> {
    const { cluster, searches } = this.#options
    await cluster.heal()
    if (!(await within(calmLimitMs, Promise.all(this.#members.map(member => member.finish()))))) {
      const open = this.history.underWay
      this.violations.push({
        kind: 'stuck',
        text: `${open} operations had no answer ${calmLimitMs / 1000} s after the end`,
      })
    } else if (this.#members.length > 0) await this.#untilTold()
    await Promise.all(this.#members.map(member => member.close()))
    this.dumps = await cluster.dump(this.credentials)
    this.violations.push(
      ...check(this.history.lines, this.dumps, { ...cluster.checks, searches }),
      ...this.#toldOfNothing(),
    )
    return this.violations
  }

  /** Ends all members at once, for a round that failed. */
  async close(): Promise<void> {
    await Promise.all(this.#members.map(member => member.close().catch(() => {})))
  }

  /** What a stream told of and no inbox has: a hub tells only of what it cannot lose any more. */
  #toldOfNothing(): Broken[] {
    return this.#members.flatMap(({ name, told }) => {
      const stored = new Set(this.dumps.find(({ inbox }) => inbox === name)?.rows.map(({ id }) => id))
      const missing = [...told].filter(id => !stored.has(id))
      return missing.map(
        id => ({ kind: 'phantom', text: `a stream told ${name} of ${id}, which is in no inbox` }) as const,
      )
    })
  }

  async #untilTold(): Promise<void> {
    const url = this.#options.cluster.urls[0]!
    for (const [at, member] of this.#members.entries()) {
      const { unread } = await readAll(url, this.credentials[at]!)
      const untold = () => unread.filter(id => !member.told.has(id))
      for (const began = performance.now(); untold().length > 0; await delay(20)) {
        if (performance.now() - began < calmLimitMs) continue
        const text = `no stream told ${member.name} of ${untold().slice(0, 3).join(', ')}, which are unread`
        this.violations.push({ kind: 'untold', text })
        break
      }
    }
  }
}

/** Whether it resolves in time. */
async function within(ms: number, what: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController()
  const isLate = delay(ms, true, { signal: timer.signal }).catch(() => true)
  try {
    return (await Promise.race([what.then(() => false), isLate])) === false
  } finally {
    timer.abort()
  }
}
