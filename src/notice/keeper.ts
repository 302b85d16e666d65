import type { HubClient } from '../client/hub-client.ts'
import type { Scope } from '../client/project/scope.ts'
import type { Activity } from '../protocol/activity.ts'
import { gatherInWords } from '../text/gather.ts'
import { activityOf, sharesActivity } from './activity.ts'
import { hasAsked, inheritAsked, noteAsked } from './asked.ts'
import { Gathering, inheritGathering, noteGathering, type Gathered as Over } from './gathering.ts'
import { KeptDirectory } from './kept-directory.ts'
import { burstMs, Ladder, quietMs, rungMs, type View } from './ladder.ts'
import { dirToKeep, type LiveSession, liveSessions } from './live-sessions.ts'
import {
  dropNews,
  type Gathered,
  hasNews,
  keepOnly,
  markKnown,
  mayWake,
  putNews,
  replaceNews,
  takeBack,
  toldMail,
} from './news.ts'
import { Reach } from './reach.ts'
import { headlessTakesPart, instanceOf, isHeadless, type SessionDir, sessionDirs } from './session-dir.ts'
import { readState } from './session-state.ts'
import { setStatusLine } from './status-line.ts'
import { ToldReports } from './told-reports.ts'
import { Turns } from './turns.ts'
import { UnreadMirror } from './unread-mirror.ts'

/** How often is looked whether somebody's time is over, in ms. What the hub tells does not wait for that. */
const lookMs = 1000

/**
 * How long it stays this session's turn after each of its steps, in ms. Longer than a rung has, so that the session's own next
 * step comes before the turn of another.
 */
const turnMs = rungMs + 15_000

/** A session that has just begun is left to its user for so long, in ms: the first prompt tells what waits. */
const graceMs = 10_000

export interface KeeperOptions {
  /** Undefined where nobody can be told anything: the directory then only says that the session lives. */
  key: string | undefined
  /** The session as the hub knows it. */
  session: string
  home: string
  env: NodeJS.ProcessEnv
  /** Speaks with the hub; throws while this machine has not joined. */
  client: () => HubClient
  /** Whose mail the session reads; throws as `client` does. */
  scope: () => Scope
  /** Sends a notification that Claude Code shows where channels are enabled. */
  pushChannel: (text: string, meta: Record<string, string>) => Promise<void>
  /** Called when the session comes into sight of a user, or goes out of it. */
  onHidden?: (isHidden: boolean) => void
  /** What went wrong and is tried again. */
  report: (error: unknown) => void
}

/**
 * Has one session told of its mail: puts what its hooks should tell into the session's directory, and wakes the session when it is
 * idle. One process for each session, also where two MCP servers of ours run in it.
 */
export class Keeper {
  readonly #options: KeeperOptions
  readonly #dir: SessionDir
  readonly #isDeaf: boolean
  readonly #instance: string | undefined
  readonly #directory: KeptDirectory
  readonly #unread: UnreadMirror
  readonly #gathering: Gathering
  readonly #told: ToldReports
  /** The questions that are over and of which the session is to be told still. */
  readonly #over = new Map<string, Gathered>()
  /** When each turn for an answer that waits for others was last made longer, ms since 1970. */
  readonly #waits = new Map<string, number>()
  readonly #turns: Turns
  readonly #ladder = new Ladder()
  readonly #reach: Reach
  readonly #end = new AbortController()
  readonly #startedAt = performance.now()
  #isHidden: boolean
  /** The look that is under way. */
  #looking: Promise<void> | undefined
  #mustLook = false
  /** What went wrong at the last look. */
  #trouble = ''

  constructor(options: KeeperOptions) {
    const { key, env, home, session, client, scope, pushChannel } = options
    this.#options = options
    this.#isDeaf = key === undefined || (isHeadless(env) && !headlessTakesPart(home))
    const dir = dirToKeep(key && !this.#isDeaf ? key : `deaf-${session}`, home)
    const instance = instanceOf(env)
    this.#dir = dir
    this.#instance = instance
    this.#directory = new KeptDirectory({ dir, home, session, instance, isDeaf: this.#isDeaf, scope })
    this.#turns = new Turns(session, home)
    this.#reach = new Reach({ dir, instance, env, pushChannel })
    const predecessors = () => this.#predecessors()
    const onDue = () => this.#look()
    this.#gathering = new Gathering(dir, onDue)
    this.#told = new ToldReports({ session, client })
    const gathering = this.#gathering
    this.#unread = new UnreadMirror({ dir, home, session, client, scope, predecessors, gathering, onDue })
    this.#isHidden = this.#reach.isHidden
  }

  /** Nobody sees this session: it is no presence, and nothing is told here. */
  get isHidden(): boolean {
    return this.#isHidden
  }

  /** Begins, and goes on until `close`. */
  start(): void {
    const timer = setInterval(() => this.#look(), lookMs).unref()
    this.#end.signal.addEventListener('abort', () => clearInterval(timer))
    this.#look()
  }

  /** The hooks of this session will tell what is put there: one of them has run. */
  get hasHooks(): boolean {
    return this.#directory.isKept && !this.#isDeaf && readState(this.#dir, this.#instance) !== undefined
  }

  /** Has the hooks tell this session something about the client itself, once. */
  remark(id: string, text: string): void {
    putNews(this.#dir, { kind: 'remark', id, seq: Date.now(), text })
  }

  /** An answer that is about to be written shows these: no hook need tell of them. */
  shown(ids: readonly string[]): void {
    markKnown(this.#dir, ids)
  }

  /** This session was given these messages: the machine's others need not hear of them. */
  fetched(ids: readonly string[]): void {
    for (const dir of sessionDirs(this.#options.home)) if (dir.key !== this.#dir.key) dropNews(dir, ids)
    for (const id of ids) {
      this.#unread.noteFetched(id)
      // What it was given has said how far the question has come.
      this.#settleQuestion(this.#unread.get(id)?.replyTo)
      const by = this.#ladder.settle(id)
      const { wokenAt } = this.#reach
      if (by) this.#directory.note({ woken: { by, id, wokenAt, fetchedAt: Date.now() } })
    }
  }

  /**
   * This session has sent a message that wants an answer: it is told what becomes of it, and an answer wakes it; of several answers `ofSeveral`
   * gathers, all of them at once.
   */
  asked(id: string, ofSeveral: boolean): void {
    if (this.#isDeaf) return
    try {
      noteAsked(this.#dir, id)
      if (ofSeveral) noteGathering(this.#dir, id)
    } catch (error) {
      this.#options.report(error) // The message is on its way all the same.
    }
  }

  /** The hub counts so many unread. */
  heard(unread: number): void {
    this.#unread.markDue(unread)
  }

  /** What this session says of itself now; nothing where its machine does not share that. */
  activity(): Activity {
    const { home, client, env } = this.#options
    if (!sharesActivity(home)) return {}
    this.#reach.look()
    const parts = {
      dir: this.#dir,
      instance: this.#instance,
      reach: this.#reach,
      clockOffsetMs: client().clockOffsetMs,
    }
    return activityOf(parts, env.CLAUDE_PROJECT_DIR || process.cwd())
  }

  /** Sets the line that this session says of itself; an empty one takes it away. Returns what it is now. */
  setStatus(text: string): string {
    return setStatusLine(this.#dir, this.#instance, text)
  }

  async close(): Promise<void> {
    this.#end.abort()
    await this.#looking
    this.#directory.release()
  }

  /** Looks now, or once more after the look that is under way. */
  #look(): void {
    this.#mustLook = true
    this.#looking ??= this.#lookOn()
  }

  async #lookOn(): Promise<void> {
    try {
      while (this.#mustLook && !this.#end.signal.aborted) {
        this.#mustLook = false
        await this.#lookOnce()
      }
      this.#trouble = ''
    } catch (error) {
      // Such as a home that was removed: told once, not every second.
      if (String(error) !== this.#trouble) this.#options.report(error)
      this.#trouble = String(error)
    } finally {
      this.#looking = undefined
    }
  }

  /** Takes the directory once nobody has it, and goes one step up the ladder when it is time. */
  async #lookOnce(): Promise<void> {
    const change = this.#directory.keep(this.#isHidden)
    if (change === 'lost') this.#tellAnew()
    this.#seeSession()
    if (!this.#directory.isKept || this.#isDeaf) return
    this.#unread.follow(this.#end.signal)
    if (this.#isHidden) return
    if (this.#unread.isDue && (await this.#unread.update())) this.#bringUp()
    for (const over of await this.#gathering.look(this.#options.client)) this.#close(over)
    this.#offer()
    await this.#climb()
    void this.#told.report(new Map(toldMail(this.#dir).map(id => [id, this.#reach.howTold(id)])))
  }

  /** What the directory had is told anew: nobody knows what of it the session has heard. */
  #tellAnew(): void {
    for (const id of this.#ladder.ids) {
      const mail = this.#unread.get(id)
      if (mail && !this.#unread.hasFetched(id)) putNews(this.#dir, mail)
    }
    for (const gathered of this.#over.values()) putNews(this.#dir, gathered)
  }

  /** A question is over: what has come of answers may wake from now on, and the session is told how far it came, unless it knows. */
  #close({ id, found }: Over): void {
    const answers = this.#unread.release(id)
    const mine = new Set(this.#turns.mine(answers.map(answer => answer.id)))
    for (const mail of answers) {
      replaceNews(this.#dir, mail)
      this.#ladder.settle(mail.id)
      if (mine.has(mail.id) && !this.#unread.hasFetched(mail.id)) this.#ladder.offer(mail, performance.now())
    }
    if (!found?.gather) return
    const { message, receipts, gather } = found
    if (gather.answered === gather.of && answers.every(answer => this.#unread.hasFetched(answer.id))) return
    const beginning = message.body.trimStart().split('\n')[0] ?? ''
    const summary = gatherInWords(receipts, this.#options.client().now())
    const gathered: Gathered = { kind: 'gathered', id, seq: message.seq, beginning, summary }
    this.#over.set(id, gathered)
    putNews(this.#dir, gathered)
    this.#ladder.offer(gathered, performance.now())
    for (const ms of [quietMs, burstMs]) setTimeout(() => this.#look(), ms + 1).unref()
  }

  /** The session knows how far its question has come. */
  #settleQuestion(id: string | undefined): void {
    const gathered = id === undefined ? undefined : this.#over.get(id)
    if (!gathered) return
    this.#over.delete(gathered.id)
    this.#ladder.settle(gathered.id)
    dropNews(this.#dir, [gathered.id])
  }

  /** A question that was told, by a hook or by a wake that reached the session, is told. */
  #settleTold(): void {
    for (const { id, isTried } of this.#ladder.gathered) {
      if (!hasNews(this.#dir, id) && (!isTried || this.#view.isHeard !== false)) this.#settleQuestion(id)
    }
  }

  /** Notes what Claude Code says of the session, also for the machine's other sessions. */
  #seeSession(): void {
    this.#reach.look()
    const { isHidden, record, activity } = this.#reach
    if (isHidden !== this.#isHidden) {
      this.#isHidden = isHidden
      this.#options.onHidden?.(isHidden)
      if (isHidden) for (const id of this.#ladder.ids) this.#ladder.settle(id)
      else this.#unread.markDue()
    }
    if (!this.#directory.isKept || this.#isDeaf) return
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

  /** The sessions whose conversation went on in this one. */
  #predecessors(): LiveSession[] {
    const { job, isHidden } = this.#reach.record ?? {}
    return job && !isHidden ? liveSessions(this.#options.home).filter(({ parkedJob }) => parkedJob === job) : []
  }

  /** Brings the directory to what is unread. */
  #bringUp(): void {
    const { ids: unread, allIds } = this.#unread
    const ids = new Set([...unread, ...this.#over.keys()])
    for (const id of this.#ladder.ids) if (!ids.has(id)) this.#ladder.settle(id)
    this.#reach.keepOnly(ids)
    keepOnly(this.#dir, ids, 'mail')
    this.#turns.keepOnly(allIds, this.#options.scope())
    for (const fate of this.#unread.takeFates()) putNews(this.#dir, fate)
  }

  /** Takes what it is this session's turn to be told, and leaves to others what is theirs by now. */
  #offer(): void {
    const lost = this.#turns.lost(this.#ladder.ids)
    for (const id of lost) this.#ladder.settle(id)
    takeBack(this.#dir, lost)
    const open = [...this.#unread.ids].filter(id => !this.#unread.hasFetched(id) && !this.#ladder.has(id))
    const now = Date.now()
    this.#extendWaits(now)
    const precedence = {
      projectOf: (id: string) => this.#unread.get(id)?.project,
      comesFirst: (id: string, dir: SessionDir) => hasAsked(dir, this.#unread.get(id)?.replyTo),
    }
    for (const id of this.#turns.take(open, now, now + turnMs, precedence)) {
      const mail = this.#unread.get(id)!
      putNews(this.#dir, mail)
      this.#ladder.offer(mail, performance.now())
      // A burst is over when it has been quiet, and after its longest time.
      if (mayWake(mail)) for (const ms of [quietMs, burstMs]) setTimeout(() => this.#look(), ms + 1).unref()
    }
  }

  /** An answer that waits for others stays with the session that asked, however long that takes. */
  #extendWaits(now: number): void {
    for (const id of this.#ladder.ids) {
      const mail = this.#unread.get(id)
      const last = this.#waits.get(id)
      if (!mail?.isGathered) this.#waits.delete(id)
      else if (last === undefined || Math.abs(now - last) > turnMs / 3) {
        if (last !== undefined) this.#turns.extend(id, now + turnMs)
        this.#waits.set(id, now)
      }
    }
  }

  /** One step up the ladder, if it is time for one and the mail is still unread. */
  async #climb(): Promise<void> {
    if (this.#ladder.ids.length === 0) return
    if (performance.now() - this.#startedAt < graceMs && this.#reach.hasJustBegun) return
    this.#giveUp()
    this.#settleTold()
    if (!this.#ladder.next(performance.now(), this.#view)) return
    if (await this.#unread.read()) this.#bringUp()
    this.#offer()
    this.#reach.look()
    const step = this.#ladder.next(performance.now(), this.#view)
    if (!step || this.#reach.isHidden) return
    const ids = step.mail.map(({ id }) => id)
    const isTold = await this.#reach.take(step, this.#options.client().now())
    this.#ladder.took(step, performance.now())
    if (!isTold) this.#tellAgain(ids)
    for (const id of ids) this.#turns.extend(id, isTold ? this.#reach.wokenAt + turnMs : Date.now())
  }

  /** Of what no rung is left for the hooks tell at the next prompt, unless it is another session's turn by then. */
  #giveUp(): void {
    // What came before an open prompt waits there.
    if (this.#reach.activity === 'waiting') return
    const spent = this.#ladder.spent(performance.now(), this.#view)
    this.#tellAgain(spent)
    for (const id of spent) this.#turns.extend(id, Date.now())
  }

  get #view(): View {
    return this.#reach.view(this.#ladder.lastStep)
  }

  #tellAgain(ids: readonly string[]): void {
    this.#reach.tellAgain(ids.filter(id => !this.#unread.hasFetched(id)))
  }
}
