import { existsSync, mkdirSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { HubClient } from '../client/hub-client.ts'
import { ClaudeNetError } from '../protocol/errors.ts'
import type { StreamEvent } from '../protocol/events.ts'
import type { MessageWithReceipts } from '../protocol/messages.ts'
import { messagesRoutes } from '../protocol/routes/messages.ts'
import { type Runtime, systemRuntime } from './runtime.ts'
import type { SessionDir } from './session-dir.ts'

/**
 * `gathering/`: a session's questions to several that still gather answers, an empty file each. Until a question is over, its answers
 * do not wake the session. The hub decides when it is over. They are on disk for the same reasons as `asked/`.
 */

/** Shortest and longest time between two checks of one question, in ms. */
const pauseMs = 250
const longestMs = 20_000

/**
 * Time for which a question that the hub does not know is kept, and time between its checks, in ms. It may be in the outbox, or on
 * the hub until it is due.
 */
const unknownMs = 30 * 24 * 3600_000
const unknownPauseMs = 60_000

/** Records that this session sent question `id` to several. */
export function noteGathering(dir: SessionDir, id: string): void {
  mkdirSync(dir.file('gathering'), { recursive: true, mode: 0o700 })
  writeFileSync(join(dir.file('gathering'), id), '', { mode: 0o600 })
}

/** Takes over the open questions of the session of `before`, whose conversation continues here. */
export function inheritGathering(dir: SessionDir, before: SessionDir): void {
  for (const id of gatheringIn(before)) {
    mkdirSync(dir.file('gathering'), { recursive: true, mode: 0o700 })
    renameSync(join(before.file('gathering'), id), join(dir.file('gathering'), id))
  }
}

function gatheringIn(dir: SessionDir): string[] {
  return existsSync(dir.file('gathering')) ? readdirSync(dir.file('gathering')) : []
}

/** A question that is over. `found` is the hub's record of it; undefined where there is nothing to report, as with an older hub. */
export interface FinishedQuestion {
  id: string
  found?: MessageWithReceipts
}

interface OpenQuestion {
  /** Time at which this process first saw it; monotonic, in ms. */
  since: number
  /** Times of the next check and of the last one; monotonic, in ms. */
  checkAt: number
  checkedAt: number
  /** An urgent answer has arrived: the question is over, whatever the hub reports. */
  isOver: boolean
}

/** The open questions to several of one session. */
export class Gathering {
  readonly #dir: SessionDir
  readonly #open = new Map<string, OpenQuestion>()
  readonly #onDue: () => void
  readonly #runtime: Runtime

  /** Calls `onDue` when `check` has something to ask the hub. */
  constructor(dir: SessionDir, onDue: () => void, runtime = systemRuntime) {
    this.#dir = dir
    this.#onDue = onDue
    this.#runtime = runtime
  }

  /** Reports whether question `id` still gathers answers. */
  has(id: string | undefined): boolean {
    return id !== undefined && (this.#open.has(id) || existsSync(join(this.#dir.file('gathering'), id)))
  }

  /** Records an answer to question `id`. An urgent one ends the question. */
  onAnswer(id: string, isUrgent: boolean): void {
    this.#load(this.#runtime.monotonic())
    const question = this.#open.get(id)
    if (!question) return
    question.isOver ||= isUrgent
    this.#checkSoon(question)
  }

  /** Processes an event that may end a question: a receipt that expired, or a member that went offline. */
  onEvent({ event, data }: StreamEvent): void {
    const question = event === 'receipt' && data.status === 'expired' ? this.#open.get(data.id) : undefined
    if (question) this.#checkSoon(question)
    if (event === 'presence' && !data.online) this.checkAllSoon()
  }

  /** Schedules a check of every question: events may have been missed. */
  checkAllSoon(): void {
    for (const question of this.#open.values()) this.#checkSoon(question)
  }

  /** Queries the hub about each question that is due. Returns those that are over; each is returned once. */
  async check(client: () => HubClient): Promise<FinishedQuestion[]> {
    const now = this.#runtime.monotonic()
    this.#load(now)
    const finished: FinishedQuestion[] = []
    for (const [id, question] of this.#open) {
      if (question.checkAt > now) continue
      const result = await this.#ask(client, id, question)
      if (!result) continue
      this.#open.delete(id)
      rmSync(join(this.#dir.file('gathering'), id), { force: true })
      finished.push(result)
    }
    return finished
  }

  /** Returns the question if it is over. It stays open while the hub cannot be reached. */
  async #ask(client: () => HubClient, id: string, question: OpenQuestion): Promise<FinishedQuestion | undefined> {
    question.checkedAt = this.#runtime.monotonic()
    question.checkAt = question.checkedAt + longestMs
    try {
      const found = await client().call(messagesRoutes.getMessage, { params: { id } })
      if (!found.gather) return { id }
      if (question.isOver || !found.gather.open) return { id, found }
      question.checkAt = question.checkedAt + Math.min(longestMs, found.gather.leftMs + 1)
      this.#callBackIn(found.gather.leftMs + 1)
    } catch (error) {
      const isUnknown = error instanceof ClaudeNetError && error.code === 'not_found'
      if (isUnknown) question.checkAt = question.checkedAt + unknownPauseMs
      if (isUnknown && (question.isOver || question.checkedAt - question.since > unknownMs)) return { id }
    }
    return undefined
  }

  #checkSoon(question: OpenQuestion): void {
    const now = this.#runtime.monotonic()
    question.checkAt = question.isOver ? now : Math.min(question.checkAt, Math.max(now, question.checkedAt + pauseMs))
    this.#callBackIn(question.checkAt - now)
  }

  #callBackIn(ms: number): void {
    if (ms <= longestMs) this.#runtime.after(Math.max(0, ms) + 1, this.#onDue)
  }

  /** Adds questions that were recorded since, perhaps by another server of this session. */
  #load(now: number): void {
    for (const id of gatheringIn(this.#dir))
      if (!this.#open.has(id))
        this.#open.set(id, { since: now, checkAt: now, checkedAt: Number.NEGATIVE_INFINITY, isOver: false })
  }
}
