import { gatherInWords } from '../text/gather.ts'
import type { FinishedQuestion } from './gathering.ts'
import type { Ladder } from './ladder.ts'
import { dropNews, type Gathered, hasNews, putNews } from './news.ts'
import type { Runtime } from './runtime.ts'
import type { SessionDir } from './session-dir.ts'

export interface FinishedQuestionsOptions {
  dir: SessionDir
  ladder: Ladder
  runtime: Runtime
  /** Returns the time by the hub's clock. */
  hubNow: () => number
}

/** The finished questions of one session whose outcome is still to be announced to it. */
export class FinishedQuestions {
  readonly #options: FinishedQuestionsOptions
  readonly #pending = new Map<string, Gathered>()

  constructor(options: FinishedQuestionsOptions) {
    this.#options = options
  }

  get ids(): string[] {
    return [...this.#pending.keys()]
  }

  /** Announces the state of the question's answers. */
  add({ id, message, receipts }: { id: string } & NonNullable<FinishedQuestion['found']>): void {
    const { dir, ladder, runtime, hubNow } = this.#options
    const beginning = message.body.trimStart().split('\n')[0] ?? ''
    const summary = gatherInWords(receipts, hubNow())
    const gathered: Gathered = { kind: 'gathered', id, seq: message.seq, beginning, summary }
    this.#pending.set(id, gathered)
    putNews(dir, gathered)
    ladder.offer(gathered, runtime.monotonic())
  }

  /** Writes all of them into the directory again, after its contents were lost. */
  putAgain(): void {
    for (const gathered of this.#pending.values()) putNews(this.#options.dir, gathered)
  }

  /** Withdraws question `id`: the session already knows its outcome. */
  settle(id: string | undefined): void {
    if (id === undefined || !this.#pending.delete(id)) return
    this.#options.ladder.settle(id)
    dropNews(this.#options.dir, [id])
  }

  /** Settles those that a hook has announced, or a wake that may have reached the session; `isHeard` concerns the last wake. */
  settleAnnounced(isHeard: boolean | undefined): void {
    const { dir, ladder } = this.#options
    for (const { id, isTried } of ladder.gathered)
      if (!hasNews(dir, id) && (!isTried || isHeard !== false)) this.settle(id)
  }
}
