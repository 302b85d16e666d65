import type { ToldHow } from '../protocol/messages.ts'
import { type Activity, type ClientRecord, readClientRecord } from './client-record.ts'
import { inboxSocket, writeToInbox } from './inbox-socket.ts'
import type { View, WakeStep } from './ladder.ts'
import type { Rung } from './live-sessions.ts'
import { hasNews, putBack, takeNews } from './news.ts'
import { wakeText } from './notice-text.ts'
import { type OpenPrompt, openPrompt } from './open-prompt.ts'
import { isHeadless, type SessionDir } from './session-dir.ts'
import { readState } from './session-state.ts'
import { hasWaiter, orderWake } from './waiter.ts'

/** What a receipt calls the rungs by which a session is woken. */
const howOf = { socket: 'wake', rewake: 'waiter', channel: 'channel' } as const satisfies Partial<Record<Rung, ToldHow>>

export interface ReachOptions {
  dir: SessionDir
  instance: string | undefined
  env: NodeJS.ProcessEnv
  /** Sends a notification that Claude Code shows where channels are enabled. */
  pushChannel: (text: string, meta: Record<string, string>) => Promise<void>
}

/**
 * How one session can be reached now. Two things tell what it does: Claude Code's own record, which lags behind by moments, and
 * the hooks, which do not run when the user breaks a turn off. The newer of both counts.
 */
export class Reach {
  readonly #options: ReachOptions
  #record: ClientRecord | undefined
  /** The last step: when it was taken, ms since 1970, and by which rung. */
  #last: { at: number; by: Rung } | undefined
  /** By which rung a wake has told of mail, by its id, that no hook has told. */
  readonly #toldByWake = new Map<string, Rung>()

  /** How the session was woken for mail, by its id. */
  readonly #wokenFor = new Map<string, ToldHow>()

  constructor(options: ReachOptions) {
    this.#options = options
    this.look()
  }

  /** Reads Claude Code's record of the session again. One that cannot be read for a moment stays as it was. */
  look(): void {
    this.#record = readClientRecord(this.#options.env, process.ppid) ?? this.#record
  }

  get record(): ClientRecord | undefined {
    return this.#record
  }

  /** Whether nobody sees this session: nothing may be told here. */
  get isHidden(): boolean {
    return this.#record?.isHidden === true
  }

  get activity(): Activity {
    return this.doing?.activity ?? 'idle'
  }

  /** What the session does, and since when, ms since 1970. Undefined while neither its hooks nor its record have said. */
  get doing(): { activity: Activity; since: number } | undefined {
    const state = this.#state
    const { activity, since } = this.#record ?? { since: 0 }
    if (activity && since >= (state?.at ?? 0)) return { activity, since }
    return state && { activity: state.busy ? 'busy' : 'idle', since: state.at }
  }

  /** The permission prompt that waits for the session's user. */
  get prompt(): OpenPrompt | undefined {
    return openPrompt(this.#options.dir, this.#options.instance, this.#record)
  }

  /**
   * Whether the session has begun and no hook was told its permission mode: its user has typed nothing yet. A
   * background session goes on with what was begun elsewhere.
   */
  get hasJustBegun(): boolean {
    const state = this.#state
    return state !== undefined && state.mode === undefined && this.#record?.job === undefined
  }

  /** When the last step was taken, ms since 1970; 0 before the first. */
  get wokenAt(): number {
    return this.#last?.at ?? 0
  }

  /** What can be used now, and whether the last step, which told of the mail `lastStep`, reached the session. */
  view(lastStep: readonly string[]): View {
    const rungs = this.#rungs
    if (this.#last?.by !== 'hooks') return { rungs, isHeard: this.#hasStirred(this.wokenAt) }
    const isTold = !lastStep.some(id => hasNews(this.#options.dir, id))
    return { rungs, isHeard: isTold || undefined }
  }

  /** Takes a step at `now`, by the hub's clock. Returns whether the rung took it, which does not mean that the session saw it. */
  async take(step: WakeStep, now: number): Promise<boolean> {
    const ids = step.mail.map(({ id }) => id)
    // The user came before the wake was heard.
    if (step.rung === 'hooks') this.tellAgain(ids)
    else {
      const { dir } = this.#options
      for (const { id } of takeNews(dir, { wanted: news => ids.includes(news.id) })) this.#toldByWake.set(id, step.rung)
    }
    const isTaken = await this.#wake(step, now)
    if (isTaken && step.rung !== 'hooks') for (const id of ids) this.#wokenFor.set(id, howOf[step.rung])
    this.#last = { at: Date.now(), by: step.rung }
    return isTaken
  }

  /** Has the hooks tell which of `ids` a wake has told in vain, once. */
  tellAgain(ids: readonly string[]): void {
    const inVain = ids.filter(id => this.#toldByWake.delete(id))
    if (inVain.length > 0) putBack(this.#options.dir, new Set(inVain))
  }

  /** How this session was told of mail `id`, of which it was told. */
  howTold(id: string): ToldHow {
    return this.#wokenFor.get(id) ?? 'hook'
  }

  /** Forgets which wake told of mail that is not in `unread`. */
  keepOnly(unread: ReadonlySet<string>): void {
    for (const told of [this.#toldByWake, this.#wokenFor])
      for (const id of told.keys()) if (!unread.has(id)) told.delete(id)
  }

  /** Whether the session did anything after `at`, ms since 1970, or has a turn in which it will. Undefined: that cannot be known. */
  #hasStirred(at: number): boolean | undefined {
    if (this.activity !== 'idle') return true
    const state = this.#state
    if (!this.#record?.activity && !state) return undefined
    return Math.max(this.#record?.since ?? 0, state?.at ?? 0) > at
  }

  /** The rungs that can be used now, in their order. */
  get #rungs(): Rung[] {
    const { env, dir } = this.#options
    if (isHeadless(env)) return ['hooks']
    const { activity } = this
    // A session that bypasses permissions holds what comes through its socket, and drops it.
    const hasSocket = inboxSocket(env) !== undefined && this.#state?.mode !== 'bypassPermissions'
    // Whoever sits before an open prompt sees a line of it at once, and the session after the answer. Nothing else is sooner.
    if (activity === 'waiting') return [hasSocket ? 'socket' : 'hooks']
    const rungs: Rung[] = []
    if (activity === 'busy') rungs.push('hooks')
    if (hasSocket) rungs.push('socket')
    if (hasWaiter(dir)) rungs.push('rewake')
    rungs.push('channel')
    return rungs
  }

  async #wake({ rung, mail }: WakeStep, now: number): Promise<boolean> {
    if (rung === 'hooks') return true
    const { env, dir, pushChannel } = this.#options
    const text = wakeText(mail, now)
    const last = mail.findLast(item => item.kind === 'mail')
    if (rung === 'socket') return writeToInbox(inboxSocket(env)!, text)
    // These come without the name of who speaks.
    const named = `Claude Net woke this session: ${text}`
    if (rung === 'rewake') orderWake(dir, { text: named })
    else await pushChannel(named, { from: last?.from ?? 'hub', intent: last?.intent ?? 'inform' })
    return true
  }

  get #state() {
    return readState(this.#options.dir, this.#options.instance)
  }
}
