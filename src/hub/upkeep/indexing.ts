import type { Reader } from '../reading/reader.ts'
import { indexSome } from '../state/local/history-index.ts'
import type { State } from '../state/state.ts'

/** Entries in a second above which indexing waits, and a burst that is always allowed. */
const busyPerSecond = 500
const burst = 50

export interface IndexingOptions {
  state: State
  reader: Reader
  isDamaged: () => boolean
}

/** Extends the indexes of inboxes, history and search to the newest message while senders do not need the disk and the processor. */
export class Indexing {
  readonly #options: IndexingOptions
  #isClosed = false
  #isIndexingWords = false
  #seqASecondAgo = 0
  #aSecondAgo = performance.now()
  /** The newest message whose words are known to be indexed. */
  #indexedSeq = 0

  constructor(options: IndexingOptions) {
    this.#options = options
  }

  /** Indexes until senders are busy. To be called every second, which also measures how busy they are. */
  run(): void {
    const isBusy = this.#isBusy
    this.#seqASecondAgo = this.#options.state.position.seq
    this.#aSecondAgo = performance.now()
    if (isBusy) return
    this.#index()
    void this.#indexWords()
  }

  close(): void {
    this.#isClosed = true
  }

  get #isBusy(): boolean {
    const seconds = (performance.now() - this.#aSecondAgo) / 1000
    return this.#options.state.position.seq - this.#seqASecondAgo > Math.max(burst, busyPerSecond * seconds)
  }

  #index(): void {
    const { state, isDamaged } = this.#options
    if (this.#isClosed || isDamaged() || this.#isBusy) return
    try {
      state.tidy()
      if (indexSome(state.db)) setImmediate(() => this.#index())
    } catch {
      // The next command meets the same error and reports it.
    }
  }

  /** Indexes words in the reading thread. */
  async #indexWords(): Promise<void> {
    const { state, reader, isDamaged } = this.#options
    if (this.#isIndexingWords || isDamaged()) return
    this.#isIndexingWords = true
    const { db } = state
    try {
      while (!this.#isClosed && !this.#isBusy) {
        const newest = db.get<{ seq: number | null }>('select max(seq) as seq from message')?.seq ?? 0
        if (newest === this.#indexedSeq && !db.get('select 1 from words_gone limit 1')) return
        const { more, gone } = await reader.ask('index', undefined, 'hub')
        if (this.#isClosed) return
        if (gone !== undefined) db.transaction(() => db.run('delete from words_gone where id <= ?', gone))
        if (!more) this.#indexedSeq = newest
      }
    } catch {
      // A search scans what is not indexed; the next second tries again.
    } finally {
      this.#isIndexingWords = false
    }
  }
}
