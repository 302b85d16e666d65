import type { followEvents } from '../client/follow-events.ts'
import type { HubClient } from '../client/hub-client.ts'
import type { Scope } from '../client/project/scope.ts'
import type { Activity } from '../protocol/activity.ts'
import { activityOf, sharesActivity } from './activity.ts'
import { Gathering, inheritGathering, noteGathering } from './gathering.ts'
import { followInbox } from './inbox-stream.ts'
import { dirToOwn, type LiveSession, liveSessions } from './live-sessions.ts'
import { dropNews, markKnown, putNews, toldMail } from './news.ts'
import { Notifier } from './notifier.ts'
import { inheritAsked, noteAsked } from './own-questions.ts'
import { OwnedDirectory } from './owned-directory.ts'
import { type Runtime, systemRuntime } from './runtime.ts'
import { SerialTask } from './serial-task.ts'
import { headlessTakesPart, instanceOf, isHeadless, type SessionDir, sessionDirs } from './session-dir.ts'
import { readState } from './session-state.ts'
import { SessionWatch } from './session-watch.ts'
import { setStatusLine } from './status-line.ts'
import { ToldReports } from './told-reports.ts'
import { Turns } from './turns.ts'
import { UnreadMirror } from './unread-mirror.ts'
import { Waker, type WakerOptions } from './waker.ts'

/** Time between two runs when no event causes one, in ms: for work that becomes due by time alone. */
const runEveryMs = 1000

export interface KeeperOptions {
  /** Key of the session's directory. If undefined, the session cannot be notified: the directory only shows that this process runs. */
  key: string | undefined
  /** Id of the session at the hub. */
  session: string
  home: string
  env: NodeJS.ProcessEnv
  /** Process id of Claude Code. */
  claude?: number
  /** Returns the client of the hub; throws while this machine has not joined. */
  client: () => HubClient
  /** Scope of the messages that the session reads; throws as `client` does. */
  scope: () => Scope
  /** Sends a notification that Claude Code shows where channels are enabled. */
  pushChannel: WakerOptions['pushChannel']
  /** Receives errors after which the keeper tries again. */
  report: (error: unknown) => void
  runtime?: Runtime
  /** Opens the stream of the hub's events. */
  follow?: typeof followEvents
  writeToSocket?: WakerOptions['writeToSocket']
}

/**
 * Notifies one session of its messages: owns the session's directory, mirrors the inbox, puts there what the hooks announce, and wakes
 * the session when it is idle. One process does this for each session, also where two of our MCP servers run in it. See DESIGN.md.
 */
export class Keeper {
  readonly #options: KeeperOptions
  readonly #runtime: Runtime
  readonly #dir: SessionDir
  readonly #isUnreachable: boolean
  readonly #instance: string | undefined
  readonly #directory: OwnedDirectory
  readonly #watch: SessionWatch
  readonly #unread: UnreadMirror
  readonly #gathering: Gathering
  readonly #waker: Waker
  readonly #notifier: Notifier
  readonly #reports: ToldReports
  readonly #task: SerialTask
  #onHidden: ((isHidden: boolean) => void) | undefined
  #isHidden: boolean
  #following: Promise<void> | undefined

  constructor(options: KeeperOptions) {
    const { key, env, home, session, claude = process.ppid, client, scope, runtime = systemRuntime } = options
    const { pushChannel, writeToSocket } = options
    this.#options = options
    this.#runtime = runtime
    this.#isUnreachable = key === undefined || (isHeadless(env) && !headlessTakesPart(home))
    const isUnreachable = this.#isUnreachable
    const dir = dirToOwn(key && !isUnreachable ? key : `deaf-${session}`, home, runtime)
    const instance = instanceOf(env)
    this.#dir = dir
    this.#instance = instance
    this.#task = new SerialTask(() => this.#run(), options.report)
    const onDue = () => this.#task.request()
    const hubNow = () => client().now()
    this.#directory = new OwnedDirectory({ dir, home, session, instance, isUnreachable, scope, runtime })
    this.#watch = new SessionWatch({ dir, instance, env, claude })
    this.#isHidden = this.#watch.isHidden
    this.#gathering = new Gathering(dir, onDue, runtime)
    const predecessors = () => this.#predecessors()
    const gathering = this.#gathering
    this.#unread = new UnreadMirror({ dir, home, session, client, scope, predecessors, gathering, onDue, runtime })
    const watch = this.#watch
    this.#waker = new Waker({ dir, env, watch, pushChannel, runtime, ...(writeToSocket && { writeToSocket }) })
    const turns = new Turns(session, home, runtime)
    const parts = { unread: this.#unread, turns, waker: this.#waker, watch }
    this.#notifier = new Notifier({ ...parts, dir, runtime, scope, hubNow, onDue })
    this.#reports = new ToldReports({ session, client, runtime })
  }

  /** Whether no user sees this session: it counts as absent, and is not notified. */
  get isHidden(): boolean {
    return this.#isHidden
  }

  /** Whether a hook of this session has run, so that remarks will be shown. */
  get hasHooks(): boolean {
    return this.#directory.isOwned && !this.#isUnreachable && readState(this.#dir, this.#instance) !== undefined
  }

  /** Runs until `close`. `onHidden` is called when the session becomes hidden, or visible again. */
  start({ onHidden }: { onHidden?: (isHidden: boolean) => void } = {}): void {
    this.#onHidden = onHidden
    let cancel = () => {}
    const tick = () => {
      this.#task.request()
      cancel = this.#runtime.after(runEveryMs, tick)
    }
    this.#task.signal.addEventListener('abort', () => cancel(), { once: true })
    tick()
  }

  async close(): Promise<void> {
    await this.#task.close()
    this.#directory.release()
  }

  /** Makes the hooks announce a fact about the client itself, once. Throws if the disk cannot be written. */
  remark(id: string, text: string): void {
    putNews(this.#dir, { kind: 'remark', id, seq: this.#runtime.now(), text })
  }

  /** Records that a tool result is about to show these messages, so that no hook announces them. */
  shown(ids: readonly string[]): void {
    markKnown(this.#dir, ids)
  }

  /** Records that this session has fetched these messages. The machine's other sessions are no longer notified of them. */
  fetched(ids: readonly string[]): void {
    for (const dir of sessionDirs(this.#options.home)) if (dir.key !== this.#dir.key) dropNews(dir, ids)
    for (const id of ids) {
      this.#unread.noteFetched(id)
      const by = this.#notifier.fetched(id)
      const { wokenAt } = this.#waker
      if (by) this.#directory.note({ woken: { by, id, wokenAt, fetchedAt: this.#runtime.now() } })
    }
  }

  /**
   * Records that this session has sent question `id`: it is notified of its outcome, and woken by an answer; if the question went to
   * several, by all the answers at once.
   */
  asked(id: string, ofSeveral: boolean): void {
    if (this.#isUnreachable) return
    try {
      noteAsked(this.#dir, id)
      if (ofSeveral) noteGathering(this.#dir, id)
    } catch (error) {
      this.#options.report(error) // The message was sent nevertheless.
    }
  }

  /** Receives the hub's number of unread messages. */
  onUnreadCount(unread: number): void {
    this.#unread.markDue(unread)
  }

  /** Returns the activity that the session shares now; an empty object if its machine does not share it. */
  activity(): Activity {
    const { home, client, env } = this.#options
    if (!sharesActivity(home)) return {}
    this.#watch.refresh()
    const { clockOffsetMs } = client()
    const parts = { dir: this.#dir, instance: this.#instance, watch: this.#watch, clockOffsetMs }
    return activityOf(parts, env.CLAUDE_PROJECT_DIR || process.cwd())
  }

  /** Sets the session's status line; an empty text removes it. Returns the line as it was stored. */
  setStatus(text: string): string {
    return setStatusLine(this.#dir, this.#instance, text)
  }

  async #run(): Promise<void> {
    if (this.#directory.claim(this.#isHidden) === 'lost') this.#notifier.putAgain()
    this.#observe()
    if (!this.#directory.isOwned || this.#isUnreachable) return
    this.#following ??= this.#follow()
    if (this.#isHidden) return
    if (this.#unread.isDue && (await this.#unread.update())) this.#notifier.synchronize()
    for (const question of await this.#gathering.check(this.#options.client)) this.#notifier.finish(question)
    await this.#notifier.run()
    void this.#reports.report(new Map(toldMail(this.#dir).map(id => [id, this.#waker.howTold(id)])))
  }

  /** Reads what Claude Code records of the session, and publishes it to the machine's other sessions. */
  #observe(): void {
    this.#watch.refresh()
    const { isHidden, record, activity } = this.#watch
    if (isHidden !== this.#isHidden) {
      this.#isHidden = isHidden
      this.#onHidden?.(isHidden)
      if (isHidden) this.#notifier.withdrawAll()
      else this.#unread.markDue()
    }
    if (!this.#directory.isOwned || this.#isUnreachable) return
    this.#directory.note({
      hidden: isHidden || undefined,
      waiting: activity === 'waiting' || undefined,
      parkedJob: record?.parkedJob,
    })
    for (const { dir } of this.#predecessors()) {
      inheritAsked(this.#dir, dir)
      inheritGathering(this.#dir, dir)
    }
  }

  /** Returns the sessions whose conversation continues in this one. */
  #predecessors(): LiveSession[] {
    const { job, isHidden } = this.#watch.record ?? {}
    if (!job || isHidden) return []
    return liveSessions(this.#options.home, this.#runtime).filter(({ parkedJob }) => parkedJob === job)
  }

  #follow(): Promise<void> {
    const { client, scope, follow } = this.#options
    const [unread, gathering] = [this.#unread, this.#gathering]
    return followInbox({
      client,
      scope,
      signal: this.#task.signal,
      onOpen() {
        gathering.checkAllSoon()
        unread.onStreamOpen()
      },
      onLost: () => unread.onStreamLost(),
      onEvent(event) {
        gathering.onEvent(event)
        unread.onEvent(event)
      },
      runtime: this.#runtime,
      ...(follow && { follow }),
    })
  }
}
