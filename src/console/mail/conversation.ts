import { signal } from '@preact/signals'
import type { HistoryAnswer, MessageWithReceipts, Receipt } from '../../protocol/messages.ts'
import { type Row, threadRows } from './threads.ts'

/** A message with its receipts, as a conversation shows it. */
export type Shown = MessageWithReceipts['message'] & Pick<MessageWithReceipts, 'receipts' | 'gather'>

/** The change of one delivery, as the stream reports it: `change` in live.ts. */
export interface Change {
  id: string
  recipient: string
  status: string
  at: string
}

/** Most messages requested at once. */
const pageSize = 100

/** Most answers of one question that are loaded one by one. */
const maxAnswers = 20

/** Most pages that are read to reach the known messages; if the gap is wider, the conversation is loaded again from its end. */
const maxGap = 5

/**
 * The loaded messages between two members: the newest first, older ones page by page, and new ones as they are stored. `load` returns
 * messages before a seq, newest first, and rejects as the API does. `loadOne` loads answers that no page has because they belong to other
 * conversations: all answers to a question to a group that is not in `between`, otherwise those that an owner gave in place of one of
 * `between`.
 */
export class Conversation {
  readonly rows = signal<readonly Row<Shown>[]>([])
  /** Whether there may be older messages than those that are loaded. */
  readonly hasOlder = signal(true)
  /** Whether anything was loaded at all. */
  readonly isLoaded = signal(false)
  readonly isLoadingOlder = signal(false)
  /** Error of the last attempt to load something. */
  readonly error = signal<unknown>(undefined)

  readonly #load: (before: number | undefined, limit: number) => Promise<HistoryAnswer>
  readonly #loadOne: (id: string) => Promise<MessageWithReceipts>
  readonly #between: readonly string[]
  #messages = new Map<string, Shown>()
  /** The newest seq that `load` has brought. */
  #newest = 0
  /** Requested answers, including those that the reader may not see. */
  readonly #asked = new Set<string>()
  #isClosed = false
  #loadingOlder: Promise<void> | undefined
  #refreshing: Promise<void> | undefined
  #isStale = false

  constructor(
    load: (before: number | undefined, limit: number) => Promise<HistoryAnswer>,
    loadOne: (id: string) => Promise<MessageWithReceipts>,
    between: readonly string[],
  ) {
    this.#load = load
    this.#loadOne = loadOne
    this.#between = between
  }

  get(id: string): Shown | undefined {
    return this.#messages.get(id)
  }

  /** Loads the next older page. Does nothing while one is being loaded, or if there is none. */
  async older(): Promise<void> {
    if (!this.hasOlder.peek() || this.#isClosed) return
    this.#loadingOlder ??= this.#try(async () => {
      this.isLoadingOlder.value = true
      const page = await this.#load(this.#oldest(), pageSize).finally(() => {
        this.isLoadingOlder.value = false
        // Drawing the page may request the next one at once.
        this.#loadingOlder = undefined
      })
      this.hasOlder.value = page.more && page.messages.length > 0
      this.isLoaded.value = true
      this.#take(page.messages)
    })
    await this.#loadingOlder
  }

  /** Loads messages newer than the loaded ones, and the newest page again. Several calls during a request cause one more. */
  async refresh(): Promise<void> {
    if (!this.isLoaded.peek()) return this.older()
    this.#isStale = true
    this.#refreshing ??= this.#try(async () => {
      while (this.#isStale) {
        this.#isStale = false
        await this.#catchUp()
      }
    }).finally(() => (this.#refreshing = undefined))
    await this.#refreshing
  }

  /** Records the change of a delivery. */
  change({ id, recipient, status, at }: Change): void {
    const message = this.#messages.get(id)
    if (!message) return
    const receipts = message.receipts.map(receipt =>
      receipt.name === recipient ? advanced(receipt, status, at) : receipt,
    )
    this.#messages.set(id, { ...message, receipts })
    this.#arrange()
  }

  /** Discards the results of requests in progress. */
  close(): void {
    this.#isClosed = true
  }

  async #catchUp(): Promise<void> {
    const known = this.#newest
    const found: MessageWithReceipts[] = []
    for (let pages = 0; pages < maxGap; pages++) {
      const page = await this.#load(found.at(-1)?.message.seq, pageSize)
      found.push(...page.messages)
      const reached = !page.more || page.messages.length === 0 || page.messages.at(-1)!.message.seq <= known
      if (reached) return this.#take(found)
    }
    this.#messages.clear()
    this.#asked.clear()
    this.#take(found)
    this.hasOlder.value = true
  }

  #take(found: readonly MessageWithReceipts[]): void {
    if (this.#isClosed) return
    this.#newest = Math.max(this.#newest, found[0]?.message.seq ?? 0)
    for (const each of found) this.#keep(each)
    this.#arrange()
    void this.#takeAnswers(found)
  }

  #keep({ message, receipts, gather }: MessageWithReceipts): void {
    this.#messages.set(message.id, { ...message, receipts, ...(gather && { gather }) })
  }

  async #takeAnswers(questions: readonly MessageWithReceipts[]): Promise<void> {
    const missing = questions
      .flatMap(({ receipts }) => {
        const near = receipts.filter(({ name }) => this.#between.includes(name))
        return (near.length > 0 ? near : receipts).flatMap(({ answerId }) => answerId ?? []).slice(0, maxAnswers)
      })
      .filter(id => !this.#messages.has(id) && !this.#asked.has(id))
    if (missing.length === 0) return
    for (const id of missing) this.#asked.add(id)
    const found = await Promise.allSettled(missing.map(id => this.#loadOne(id)))
    for (const each of found) if (each.status === 'fulfilled') this.#keep(each.value)
    this.#arrange()
  }

  #arrange(): void {
    if (!this.#isClosed) this.rows.value = threadRows(this.#messages.values())
  }

  #oldest(): number | undefined {
    let oldest: number | undefined
    for (const { seq } of this.#messages.values()) if (oldest === undefined || seq < oldest) oldest = seq
    return oldest
  }

  async #try(what: () => Promise<void>): Promise<void> {
    try {
      await what()
      if (!this.#isClosed) this.error.value = undefined
    } catch (error) {
      if (!this.#isClosed) this.error.value = error
    }
  }
}

/** Returns a receipt after one more step. Steps only add up: a late report of an earlier one undoes nothing. */
function advanced(receipt: Receipt, status: string, at: string): Receipt {
  const isOver = receipt.status === 'acked' || receipt.status === 'expired'
  switch (status) {
    case 'told':
      return { ...receipt, toldAt: receipt.toldAt ?? at }
    case 'fetched':
      return { ...receipt, fetchedAt: receipt.fetchedAt ?? at, ...(!isOver && { status: 'fetched' as const }) }
    case 'acked':
      return { ...receipt, status: 'acked', ackedAt: receipt.ackedAt ?? at }
    case 'expired':
      return isOver ? receipt : { ...receipt, status: 'expired', expiredAt: at }
    default:
      return receipt
  }
}
