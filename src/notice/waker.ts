import type { ToldHow } from '../protocol/messages.ts'
import { inboxSocket, writeToInbox } from './inbox-socket.ts'
import type { View, WakeStep } from './ladder.ts'
import type { Rung } from './live-sessions.ts'
import { hasNews, putBack, takeNews } from './news.ts'
import { wakeText } from './notice-text.ts'
import { type Runtime, systemRuntime } from './runtime.ts'
import { isHeadless, type SessionDir } from './session-dir.ts'
import type { SessionWatch } from './session-watch.ts'
import { hasWaiter, orderWake } from './waiter.ts'

/** Names of the waking rungs in a receipt. */
const receiptNames = { socket: 'wake', rewake: 'waiter', channel: 'channel' } as const satisfies Partial<
  Record<Rung, ToldHow>
>

export interface WakerOptions {
  dir: SessionDir
  env: NodeJS.ProcessEnv
  watch: SessionWatch
  /** Sends a notification that Claude Code shows where channels are enabled. */
  pushChannel: (text: string, meta: Record<string, string>) => Promise<void>
  /** Writes into the session's inbox socket. */
  writeToSocket?: typeof writeToInbox
  runtime?: Runtime
}

/** Wakes one session by one rung of the ladder, and determines which rungs can be used now. */
export class Waker {
  readonly #options: Required<WakerOptions>
  /** The last step: its time, ms since 1970, and its rung. */
  #last: { at: number; by: Rung } | undefined
  /** Way by which the session was woken for each message, by its id. */
  readonly #wokenFor = new Map<string, ToldHow>()

  constructor(options: WakerOptions) {
    this.#options = { writeToSocket: writeToInbox, runtime: systemRuntime, ...options }
  }

  /** Time of the last step, ms since 1970; 0 before the first. */
  get wokenAt(): number {
    return this.#last?.at ?? 0
  }

  /** Returns the rungs that can be used now, and whether the last step, which announced the messages `lastStep`, reached the session. */
  view(lastStep: readonly string[]): View {
    const rungs = this.#rungs
    if (this.#last?.by !== 'hooks') return { rungs, isHeard: this.#options.watch.hasActedSince(this.wokenAt) }
    const isTold = !lastStep.some(id => hasNews(this.#options.dir, id))
    return { rungs, isHeard: isTold || undefined }
  }

  /** Takes a step at `hubNow`, by the hub's clock. Returns whether the rung accepted it, which does not mean that the session saw it. */
  async take(step: WakeStep, hubNow: number): Promise<boolean> {
    const ids = step.mail.map(({ id }) => id)
    // A wake that the session has not seen yet is superseded: it is busy again, and its hooks announce the messages.
    if (step.rung === 'hooks') this.announceAgain(ids)
    else this.#announceByWake(ids)
    const isAccepted = await this.#wake(step, hubNow)
    if (isAccepted && step.rung !== 'hooks') for (const id of ids) this.#wokenFor.set(id, receiptNames[step.rung])
    this.#last = { at: this.#options.runtime.now(), by: step.rung }
    return isAccepted
  }

  /** Makes the hooks announce, once, those of `ids` that only a wake has announced. */
  announceAgain(ids: readonly string[]): void {
    const again = new Set(this.onlyByWake.filter(id => ids.includes(id)))
    if (again.size === 0) return
    putBack(this.#options.dir, again)
    this.#write(this.onlyByWake.filter(id => !again.has(id)))
  }

  /** Returns how this session was notified of message `id`. A session that was not woken for it was notified by a hook. */
  howTold(id: string): ToldHow {
    return this.#wokenFor.get(id) ?? 'hook'
  }

  /** Deletes the records of messages that are not in `unread`. */
  keepOnly(unread: ReadonlySet<string>): void {
    for (const id of this.#wokenFor.keys()) if (!unread.has(id)) this.#wokenFor.delete(id)
    const before = this.onlyByWake
    if (before.some(id => !unread.has(id))) this.#write(before.filter(id => unread.has(id)))
  }

  /** Ids of what a wake has announced and no hook. On disk, because the next server of the session needs them. */
  get onlyByWake(): string[] {
    return this.#options.dir.read<string[]>('only-woken.json') ?? []
  }

  #announceByWake(ids: readonly string[]): void {
    const before = this.onlyByWake
    // A server that is killed between these steps leaves too many ids there rather than too few.
    this.#write([...before, ...ids])
    const taken = takeNews(this.#options.dir, { wanted: ({ id }) => ids.includes(id) })
    this.#write([...before, ...taken.map(({ id }) => id)])
  }

  #write(onlyByWake: string[]): void {
    this.#options.dir.write('only-woken.json', onlyByWake)
  }

  /** The rungs that can be used now, in order. */
  get #rungs(): Rung[] {
    const { env, dir, watch, runtime } = this.#options
    if (isHeadless(env)) return ['hooks']
    const { activity } = watch
    // A session that bypasses permissions holds messages from its socket, and drops them.
    const hasSocket = inboxSocket(env) !== undefined && watch.permissionMode !== 'bypassPermissions'
    // The user at an open prompt sees the line at once, and the session sees it after the prompt. No other rung is faster.
    if (activity === 'waiting') return [hasSocket ? 'socket' : 'hooks']
    const rungs: Rung[] = []
    if (activity === 'busy') rungs.push('hooks')
    if (hasSocket) rungs.push('socket')
    if (hasWaiter(dir, runtime)) rungs.push('rewake')
    rungs.push('channel')
    return rungs
  }

  async #wake({ rung, mail }: WakeStep, hubNow: number): Promise<boolean> {
    if (rung === 'hooks') return true
    const { env, dir, pushChannel, writeToSocket } = this.#options
    const text = wakeText(mail, hubNow)
    const last = mail.findLast(item => item.kind === 'mail')
    if (rung === 'socket') return writeToSocket(inboxSocket(env)!, text)
    // Unlike the socket, these rungs do not show a sender.
    const named = `Claude Net woke this session: ${text}`
    if (rung === 'rewake') orderWake(dir, { text: named })
    else await pushChannel(named, { from: last?.from ?? 'hub', intent: last?.intent ?? 'inform' })
    return true
  }
}
