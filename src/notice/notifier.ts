import type { Scope } from '../client/project/scope.ts'
import { FinishedQuestions } from './finished-questions.ts'
import type { FinishedQuestion } from './gathering.ts'
import { burstMs, Ladder, quietMs, rungMs, type View } from './ladder.ts'
import type { Rung } from './live-sessions.ts'
import { keepOnly, mayWake, putNews, replaceNews, takeBack } from './news.ts'
import { hasAsked } from './own-questions.ts'
import type { Runtime } from './runtime.ts'
import type { SessionDir } from './session-dir.ts'
import type { SessionWatch } from './session-watch.ts'
import type { Turns } from './turns.ts'
import type { UnreadMirror } from './unread-mirror.ts'
import type { Waker } from './waker.ts'

/**
 * Time for which this session keeps its turn after each of its steps, in ms. Longer than a rung, so that the session's own next step comes
 * before the turn of another session.
 */
const turnMs = rungMs + 15_000

/** Time for which a session that has just started is not woken, in ms: its first prompt announces what is unread. */
const graceMs = 10_000

export interface NotifierOptions {
  dir: SessionDir
  unread: UnreadMirror
  turns: Turns
  waker: Waker
  watch: SessionWatch
  runtime: Runtime
  /** Scope of the messages that the session reads; throws while this machine has not joined. */
  scope: () => Scope
  /** Returns the time by the hub's clock. */
  hubNow: () => number
  /** Called when `run` may have something to do. */
  onDue: () => void
}

/**
 * Notifies one session: takes the messages whose turn is this session's, writes them where its hooks find them, and wakes the session rung
 * by rung until it fetches.
 */
export class Notifier {
  readonly #options: NotifierOptions
  readonly #ladder = new Ladder()
  readonly #questions: FinishedQuestions
  /** Time at which the turn for an answer that waits for others was last extended, by its id; ms since 1970. */
  readonly #extendedAt = new Map<string, number>()
  readonly #startedAt: number
  #hasResumed = false

  constructor(options: NotifierOptions) {
    this.#options = options
    this.#questions = new FinishedQuestions({ ...options, ladder: this.#ladder })
    this.#startedAt = options.runtime.monotonic()
  }

  /** Notifies the session of new messages, and takes one step up the ladder if it is time for one. */
  async run(): Promise<void> {
    this.#offer()
    await this.#climb()
  }

  /** Removes messages that are no longer unread, and announces the outcomes of messages that the session sent. */
  synchronize(): void {
    const { dir, unread, turns, waker, scope } = this.#options
    if (!this.#hasResumed) this.#resume()
    const ids = new Set([...unread.ids, ...this.#questions.ids])
    for (const id of this.#ladder.ids) if (!ids.has(id)) this.#ladder.settle(id)
    waker.keepOnly(ids)
    keepOnly(dir, ids, 'mail')
    turns.keepOnly(unread.allIds, scope())
    for (const fate of unread.takeFates()) putNews(dir, fate)
  }

  /** Announces a finished question, unless the session knows its outcome. From now on its answers may wake the session. */
  finish({ id, found }: FinishedQuestion): void {
    const { dir, unread, turns, runtime } = this.#options
    const answers = unread.release(id)
    const mine = new Set(turns.mine(answers.map(answer => answer.id)))
    for (const mail of answers) {
      replaceNews(dir, mail)
      this.#ladder.settle(mail.id)
      if (mine.has(mail.id) && !unread.hasFetched(mail.id)) this.#ladder.offer(mail, runtime.monotonic())
    }
    if (!found?.gather) return
    const { answered, of } = found.gather
    if (answered === of && answers.every(answer => unread.hasFetched(answer.id))) return
    this.#questions.add({ ...found, id })
    this.#runAfterBurst()
  }

  /** Records that the session has fetched a message. Returns the rung that last announced it. */
  fetched(id: string): Rung | undefined {
    // The inbox shows an answer together with the state of its question.
    this.#questions.settle(this.#options.unread.get(id)?.replyTo)
    return this.#ladder.settle(id)
  }

  /** Leaves everything that was offered to the hooks: the session must not be woken now. */
  withdrawAll(): void {
    const { ids } = this.#ladder
    for (const id of ids) this.#ladder.settle(id)
    this.#announceAgain(ids)
  }

  /** Writes everything into the directory again after its contents were lost: it is unknown what of it the session has seen. */
  putAgain(): void {
    const { dir, unread } = this.#options
    for (const id of this.#ladder.ids) {
      const mail = unread.get(id)
      if (mail && !unread.hasFetched(id)) putNews(dir, mail)
    }
    this.#questions.putAgain()
  }

  /**
   * Continues for an earlier server of the session: messages that it had in turn are left to the hooks, unless a hook has announced them.
   * That server may have been killed after a wake that the session dropped, or have removed the directory when it was closed.
   */
  #resume(): void {
    const { dir, unread, turns, waker } = this.#options
    this.#hasResumed = true
    this.#announceAgain(waker.onlyByWake)
    const open = [...unread.ids].filter(id => !unread.hasFetched(id))
    for (const id of turns.mine(open)) putNews(dir, unread.get(id)!)
  }

  /** Takes the messages whose turn becomes this session's, and drops those whose turn has passed to another. */
  #offer(): void {
    const { dir, unread, turns, runtime } = this.#options
    const lost = turns.lost(this.#ladder.ids)
    for (const id of lost) this.#ladder.settle(id)
    takeBack(dir, lost)
    const open = [...unread.ids].filter(id => !unread.hasFetched(id) && !this.#ladder.has(id))
    const now = runtime.now()
    this.#extendTurnsOfAnswers(now)
    const precedence = {
      projectOf: (id: string) => unread.get(id)?.project,
      comesFirst: (id: string, other: SessionDir) => hasAsked(other, unread.get(id)?.replyTo),
    }
    for (const id of turns.take(open, now, now + turnMs, precedence)) {
      const mail = unread.get(id)!
      // A message that returned, and that a hook has announced to this session, is not announced again.
      if (!putNews(dir, mail)) continue
      this.#ladder.offer(mail, runtime.monotonic())
      if (mayWake(mail)) this.#runAfterBurst()
    }
  }

  /** Extends the turns of gathered answers: they stay with the session that asked until the question is over. */
  #extendTurnsOfAnswers(now: number): void {
    const { unread, turns } = this.#options
    for (const id of this.#ladder.ids) {
      const last = this.#extendedAt.get(id)
      if (!unread.get(id)?.isGathered) this.#extendedAt.delete(id)
      else if (last === undefined || Math.abs(now - last) > turnMs / 3) {
        if (last !== undefined) turns.extend(id, now + turnMs)
        this.#extendedAt.set(id, now)
      }
    }
  }

  /** Takes one step up the ladder, if it is time for one and the messages are still unread. */
  async #climb(): Promise<void> {
    const { unread, turns, waker, watch, runtime, hubNow } = this.#options
    if (this.#ladder.ids.length === 0) return
    if (runtime.monotonic() - this.#startedAt < graceMs && watch.hasJustBegun) return
    this.#giveUp()
    this.#questions.settleAnnounced(this.#view.isHeard)
    if (!this.#ladder.next(runtime.monotonic(), this.#view)) return
    if (await unread.read()) this.synchronize()
    this.#offer()
    watch.refresh()
    const step = this.#ladder.next(runtime.monotonic(), this.#view)
    if (!step || watch.isHidden) return
    const ids = step.mail.map(({ id }) => id)
    const isAccepted = await waker.take(step, hubNow())
    this.#ladder.took(step, runtime.monotonic())
    if (!isAccepted) this.#announceAgain(ids)
    for (const id of ids) turns.extend(id, isAccepted ? waker.wokenAt + turnMs : runtime.now())
  }

  /** Returns messages for which no rung is left to the hooks, for the next prompt, unless another session's turn comes first. */
  #giveUp(): void {
    const { turns, watch, runtime } = this.#options
    // A message that arrived before an open prompt waits behind it.
    if (watch.activity === 'waiting') return
    const spent = this.#ladder.spent(runtime.monotonic(), this.#view)
    this.#announceAgain(spent)
    for (const id of spent) turns.extend(id, runtime.now())
  }

  #announceAgain(ids: readonly string[]): void {
    const { unread, waker } = this.#options
    waker.announceAgain(ids.filter(id => !unread.hasFetched(id)))
  }

  /** Requests runs for when a burst may be over: after a quiet moment, and after its longest time. */
  #runAfterBurst(): void {
    const { runtime, onDue } = this.#options
    for (const ms of [quietMs, burstMs]) runtime.after(ms + 1, onDue)
  }

  get #view(): View {
    return this.#options.waker.view(this.#ladder.lastStep)
  }
}
