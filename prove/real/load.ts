import { setTimeout as delay } from 'node:timers/promises'
import { check, type InboxDump } from '../checker/check.ts'
import { History } from '../checker/history.ts'
import { chanceOf } from '../sim/random.ts'
import { type Cluster, type Credential, readAll } from './cluster.ts'
import type { Broken } from './fault.ts'
import { Member, type MemberOptions } from './member.ts'

/** Time in which everything in flight must complete once the faults have ended, in ms. */
const calmLimitMs = 90_000

export interface LoadOptions {
  cluster: Cluster
  seed: number
  /** Number of members. */
  members?: number
  timeoutMs?: number
  paceMs?: number
  /** Default: twice `paceMs`. */
  readPaceMs?: number
  /** Whether the checker searches for an order that explains each inbox (default: true): too slow for inboxes of thousands of messages. */
  searches?: boolean
  lanes?: number
  textLength?: number
  /** Whether members send to `all` (default: true). False when the hub has other machines too. */
  broadcasts?: boolean
  headers?: MemberOptions['headers']
  /** Addresses for each member, counted from 0, in place of the hubs' own. */
  urls?: (member: number) => readonly URL[]
}

/** Members that use a cluster concurrently, and the history of their requests and the responses. */
export class Load {
  readonly history = new History()
  readonly credentials: Credential[] = []
  /** Violations found outside the checker. */
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

  /** Joins the members if they have not joined, and starts them. */
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

  /** Number of sends acknowledged as stored so far. */
  get acknowledged(): number {
    return this.#members.reduce((sum, member) => sum + member.acknowledged, 0)
  }

  /** Longest time that a send took, over all its attempts, in ms. */
  get worstSendMs(): number {
    return Math.max(0, ...this.#members.map(({ worstSendMs }) => worstSendMs))
  }

  /** Resolves once `count` more sends were acknowledged; throws after `limitMs`. */
  async answered(count: number, limitMs = calmLimitMs): Promise<void> {
    const goal = this.acknowledged + count
    for (const began = performance.now(); this.acknowledged < goal; await delay(10))
      if (performance.now() - began > limitMs)
        throw new Error(`${count} sends were not acknowledged within ${limitMs} ms`)
  }

  /** Resolves once an operation has failed, or ended without a response, for a matching reason; throws after `limitMs`. */
  async failedWith(why: RegExp, limitMs = calmLimitMs): Promise<void> {
    const { lines } = this.history
    let at = lines.length
    for (const began = performance.now(); performance.now() - began < limitMs; await delay(10))
      for (; at < lines.length; at++) {
        const line = lines[at]!
        if ((line.type === 'unknown' || line.type === 'fail') && why.test(line.why)) return
      }
    throw new Error(`No operation failed with ${why} within ${limitMs} ms`)
  }

  /** Resolves when everything in flight has completed and streams have shown all unread messages. Closes the members. */
  async rest(): Promise<void> {
    await Promise.all(this.#members.map(member => member.finish()))
    await this.#untilShown()
    await this.close()
  }

  /** Closes the streams of all members, which reopen them from their last cursors. */
  breakStreams(): void {
    for (const member of this.#members) member.breakStream()
  }

  /**
   * Heals the cluster, waits for everything in flight to complete, reads all inboxes, stops the hubs, and returns the violations. An
   * operation not completed, or a message not shown by a stream, within 90 s counts as lost.
   */
  async end(): Promise<Broken[]> {
    const { cluster, searches } = this.#options
    await cluster.heal()
    if (!(await within(calmLimitMs, Promise.all(this.#members.map(member => member.finish()))))) {
      const open = this.history.underWay
      this.violations.push({
        kind: 'stuck',
        text: `${open} operations had no response ${calmLimitMs / 1000} s after the end`,
      })
    } else if (this.#members.length > 0) await this.#untilShown()
    await Promise.all(this.#members.map(member => member.close()))
    this.dumps = await cluster.dump(this.credentials)
    this.violations.push(
      ...check(this.history.lines, this.dumps, { ...cluster.checks, searches }),
      ...this.#shownButNotStored(),
    )
    return this.violations
  }

  /** Closes all members at once, for a round that failed. */
  async close(): Promise<void> {
    await Promise.all(this.#members.map(member => member.close().catch(() => {})))
  }

  /** Returns messages that a stream showed but no inbox contains: a hub may show only what is durable. */
  #shownButNotStored(): Broken[] {
    return this.#members.flatMap(({ name, shown }) => {
      const stored = new Set(this.dumps.find(({ inbox }) => inbox === name)?.rows.map(({ id }) => id))
      const missing = [...shown].filter(id => !stored.has(id))
      return missing.map(
        id => ({ kind: 'phantom', text: `a stream showed ${name} the message ${id}, which is in no inbox` }) as const,
      )
    })
  }

  async #untilShown(): Promise<void> {
    const url = this.#options.cluster.urls[0]!
    for (const [at, member] of this.#members.entries()) {
      const { unread } = await readAll(url, this.credentials[at]!)
      const missing = () => unread.filter(id => !member.shown.has(id))
      for (const began = performance.now(); missing().length > 0; await delay(20)) {
        if (performance.now() - began < calmLimitMs) continue
        const text = `no stream showed ${member.name} ${missing().slice(0, 3).join(', ')}, which are unread`
        this.violations.push({ kind: 'untold', text })
        break
      }
    }
  }
}

/** Reports whether `what` resolves in time. */
async function within(ms: number, what: Promise<unknown>): Promise<boolean> {
  const timer = new AbortController()
  const isLate = delay(ms, true, { signal: timer.signal }).catch(() => true)
  try {
    return (await Promise.race([what.then(() => false), isLate])) === false
  } finally {
    timer.abort()
  }
}
