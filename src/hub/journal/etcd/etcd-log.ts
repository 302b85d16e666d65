import { randomBytes } from 'node:crypto'
import { HistoryError, type Log, type LogRecord } from '../log.ts'
import { ask, type KeyValue, otherForm, RangeAnswer, TransactionAnswer, unknownCode } from './answers.ts'
import { EtcdError, type EtcdGateway } from './gateway.ts'
import { base64, keysUnder, text } from './keys.ts'
import { WatchedRecords } from './watched-records.ts'

/** Interval at which the log is read although its watch is quiet, in ms: watches have lost events (etcd issues 17529 and 18089). */
const lookMs = 1000

/** A watch without any message for this long, in ms, is opened anew: its connection may have broken unnoticed. */
const silentMs = 20_000

/** Pauses before a watch or a read that failed is tried again, in ms: the first, doubled each time up to the last. */
const retryMs = { first: 50, last: 1000 }

/** Most records in one answer. Each has 700 kB at most, so an answer has at most 16 MB of base64. */
const maxRecords = 16

/** Digits of an offset in a key, so that keys sort as numbers do. */
const digits = 12

interface WatchMessage {
  created?: boolean
  canceled?: boolean
  cancel_reason?: string
  events?: { type?: 'PUT' | 'DELETE'; kv: KeyValue }[]
}

/**
 * A log in etcd. Record `n` is stored under a key that ends in `n`. One transaction creates it, on the condition that it does not exist,
 * that record `n - 1` does, and that the key `epoch` is the one this hub opened. A watch delivers new records; one that is not the next in
 * order is read by its key instead, so that an event that the watch loses is not missed.
 */
export class EtcdLog implements Log {
  readonly epoch: string
  readonly #gateway: EtcdGateway
  readonly #prefix: string
  /** The revision at which the key `epoch` was created: with another one it is another log, even under the same name. */
  readonly #madeAt: string

  private constructor(gateway: EtcdGateway, prefix: string, epoch: string, madeAt: string) {
    this.#gateway = gateway
    this.#prefix = prefix
    this.epoch = epoch
    this.#madeAt = madeAt
  }

  /** Opens the log called `name`. Throws `HistoryError` when there is none yet. */
  static async open(gateway: EtcdGateway, name: string): Promise<EtcdLog> {
    const prefix = prefixOf(name)
    const { kvs } = await ask(gateway, RangeAnswer, '/v3/kv/range', { key: base64(`${prefix}epoch`) })
    const [found] = kvs ?? []
    if (!found) {
      throw new HistoryError(
        `etcd has no history called '${name}'.`,
        'Begin it from the store of a single hub, claude-net journal init --from DIR, or with nothing: claude-net journal init',
      )
    }
    return new EtcdLog(gateway, prefix, text(found.value), found.create_revision ?? '')
  }

  /** Returns the epoch of the history called `name`; undefined when there is none. */
  static async find(gateway: EtcdGateway, name: string): Promise<string | undefined> {
    const { kvs } = await ask(gateway, RangeAnswer, '/v3/kv/range', { key: base64(`${prefixOf(name)}epoch`) })
    return kvs?.[0] && text(kvs[0].value)
  }

  /** Creates a history called `name`: empty, or with one record. Throws `HistoryError` when there is one of that name. */
  static async create(gateway: EtcdGateway, name: string, epoch: string, first?: LogRecord): Promise<EtcdLog> {
    const prefix = prefixOf(name)
    const key = base64(`${prefix}epoch`)
    const { responses } = await ask(gateway, TransactionAnswer, '/v3/kv/txn', {
      compare: [isMissing(key)],
      success: [
        { request_put: { key, value: base64(epoch) } },
        ...(first ? [{ request_put: { key: recordKey(prefix, first.offset), value: base64(first.bytes) } }] : []),
        { request_range: { key } },
      ],
      failure: [{ request_range: { key } }],
    })
    const found = responses.at(-1)?.response_range?.kvs?.[0]
    if (!found) throw otherForm()
    // The same epoch: an earlier try was carried out, and its answer was lost.
    if (text(found.value) === epoch) return new EtcdLog(gateway, prefix, epoch, found.create_revision ?? '')
    throw new HistoryError(
      `etcd has a history called '${name}' already.`,
      'Begin one of another name, etcd://HOST:PORT/NAME, or have a new hub join this one: claude-net hub --journal …',
    )
  }

  /** Returns the secret by which hubs of this log recognize each other; the first call creates it. */
  async secret(): Promise<string> {
    const key = base64(`${this.#prefix}secret`)
    const made = base64(randomBytes(32).toString('hex'))
    const { kvs } = await ask(this.#gateway, RangeAnswer, '/v3/kv/range', { key })
    if (kvs?.[0]) return text(kvs[0].value)
    const { responses } = await ask(this.#gateway, TransactionAnswer, '/v3/kv/txn', {
      compare: [isMissing(key)],
      success: [{ request_put: { key, value: made } }, { request_range: { key } }],
      failure: [{ request_range: { key } }],
    })
    const found = responses.at(-1)?.response_range?.kvs?.[0]
    if (!found) throw otherForm()
    return text(found.value)
  }

  /** Returns what the running hubs publish under `topic`, by hub name; see `Board`. */
  async shown(topic: string): Promise<Map<string, string>> {
    const prefix = `${this.#prefix}board/`
    const { kvs = [] } = await ask(this.#gateway, RangeAnswer, '/v3/kv/range', keysUnder(prefix))
    return new Map(
      kvs.flatMap(({ key, value }) => {
        const [hub, ...rest] = text(key).slice(prefix.length).split('/')
        return hub !== undefined && rest.join('/') === topic ? [[hub, text(value)]] : []
      }),
    )
  }

  first(): Promise<number> {
    return this.#end('ASCEND')
  }

  last(): Promise<number> {
    return this.#end('DESCEND')
  }

  async append(after: number, bytes: Uint8Array): Promise<boolean> {
    const [key, before, epoch] = [this.#key(after + 1), this.#key(after), base64(`${this.#prefix}epoch`)]
    const { succeeded, responses } = await ask(this.#gateway, TransactionAnswer, '/v3/kv/txn', {
      compare: [
        isMissing(key),
        { key: epoch, target: 'CREATE', create_revision: this.#madeAt },
        ...(after > 0 ? [{ key: before, target: 'CREATE', result: 'GREATER', create_revision: '0' }] : []),
      ],
      success: [{ request_put: { key, value: base64(bytes) } }],
      failure: [
        { request_range: { key } },
        { request_range: { key: epoch, keys_only: true } },
        { request_range: { key: before, keys_only: true } },
      ],
    })
    if (succeeded) return true
    const [there, made, beforeIt] = responses.map(({ response_range }) => response_range?.kvs?.[0])
    if (made?.create_revision !== this.#madeAt) {
      throw new HistoryError(
        made ? 'The log was deleted and made anew.' : 'The log was deleted.',
        'Bring the log back, or start this hub with a store that belongs to the new one.',
      )
    }
    if (there) return there.value === base64(bytes)
    if (after > 0 && !beforeIt)
      throw new HistoryError(
        `The log has no record ${after} any more: it was set back.`,
        'Bring the log back, or restore a backup, which begins a new history.',
      )
    throw new EtcdError(`etcd refused record ${after + 1} without a reason.`, unknownCode)
  }

  async *follow(after: number, signal: AbortSignal): AsyncIterable<readonly LogRecord[]> {
    const watched = new WatchedRecords(signal)
    const watching = this.#watch(watched, signal)
    let at = after
    let isBehind = true
    try {
      let pauseMs = retryMs.first
      while (!signal.aborted) {
        const taken = watched.take(at)
        if (taken.length > 0) {
          at = taken.at(-1)!.offset
          yield taken
          continue
        }
        if (watched.hasGap || isBehind) {
          watched.hasGap = false
          try {
            const read = await this.#read(at, signal)
            isBehind = read.length > 0
            pauseMs = retryMs.first
            if (read.length === 0) continue
            at = read.at(-1)!.offset
            yield read
          } catch (error) {
            if (signal.aborted) return
            if (error instanceof HistoryError) throw error
            isBehind = true
            await watched.wait(pauseMs)
            pauseMs = Math.min(pauseMs * 2, retryMs.last)
          }
          continue
        }
        isBehind = await watched.wait(lookMs)
      }
    } finally {
      watched.end()
      await watching
    }
  }

  /** Never deletes the newest record: a hub that has applied all of them still finds it there. */
  async trim(upTo: number): Promise<void> {
    const range = { key: this.#key(0), range_end: this.#key(Math.min(upTo + 1, await this.last())) }
    await this.#gateway.ask('/v3/kv/deleterange', range)
  }

  async close(): Promise<void> {
    this.#gateway.close()
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close()
  }

  async #end(order: 'ASCEND' | 'DESCEND'): Promise<number> {
    const one = { sort_target: 'KEY', sort_order: order, limit: 1, keys_only: true }
    const { kvs } = await ask(this.#gateway, RangeAnswer, '/v3/kv/range', { ...this.#from(0), ...one })
    return kvs?.[0] ? this.#offsetOf(kvs[0]) : 0
  }

  /** Returns the next records behind `at`; none at the end. Throws `HistoryError` when they were trimmed. */
  async #read(at: number, signal: AbortSignal): Promise<LogRecord[]> {
    // The range begins with the record at `at`: where that is missing and nothing follows, the log was set back.
    const range = { ...this.#from(at), limit: maxRecords + 1 }
    const { kvs = [] } = await ask(this.#gateway, RangeAnswer, '/v3/kv/range', range, signal)
    const records = kvs.map(kv => this.#record(kv)).filter(({ offset }) => offset > at)
    const [first] = records
    if (first && first.offset !== at + 1) {
      throw new HistoryError(
        `The log begins at ${first.offset}, and this store has applied it up to ${at}.`,
        'Start this hub with a newer snapshot.',
      )
    }
    if (at > 0 && kvs.length === 0) {
      throw new HistoryError(
        `The log has no record ${at}, up to which this store has applied it: it was set back.`,
        'Bring the log back, or restore a backup, which begins a new history.',
      )
    }
    return records
  }

  /** Adds new records to `watched` until `signal` aborts, and marks a gap when some may have been missed. */
  async #watch(watched: WatchedRecords, signal: AbortSignal): Promise<void> {
    const body = { create_request: { ...this.#from(0), progress_notify: true } }
    for (let pauseMs = retryMs.first; !watched.signal.aborted; pauseMs = Math.min(pauseMs * 2, retryMs.last)) {
      try {
        const until = AbortSignal.any([signal, watched.signal])
        for await (const message of this.#gateway.stream<WatchMessage>('/v3/watch', body, {
          silentMs,
          signal: until,
        })) {
          if (message.canceled) break
          if (message.created) {
            // Records that were written before the watch began have to be read.
            watched.missed()
            pauseMs = retryMs.first
          }
          const puts = (message.events ?? []).filter(({ type }) => type !== 'DELETE')
          watched.add(puts.map(({ kv }) => this.#record(kv)))
        }
      } catch {
        // The reads every `lookMs` continue meanwhile.
      }
      if (!watched.signal.aborted) await watched.pause(pauseMs)
    }
  }

  #from(offset: number): { key: string; range_end: string } {
    // `:` is the character after `9`.
    return { key: this.#key(offset), range_end: base64(`${this.#prefix}records/:`) }
  }

  #key(offset: number): string {
    return recordKey(this.#prefix, offset)
  }

  /** Throws `EtcdError` for a key that is not a record's. */
  #offsetOf({ key }: KeyValue): number {
    const offset = text(key).slice(-digits)
    if (offset.length < digits || !/^\d+$/.test(offset)) throw otherForm()
    return Number(offset)
  }

  #record(kv: KeyValue): LogRecord {
    return { offset: this.#offsetOf(kv), bytes: Buffer.from(kv.value ?? '', 'base64') }
  }
}

function prefixOf(name: string): string {
  return `/claude-net/${name}/`
}

function recordKey(prefix: string, offset: number): string {
  return base64(`${prefix}records/${String(offset).padStart(digits, '0')}`)
}

function isMissing(key: string) {
  return { key, target: 'CREATE', create_revision: '0' }
}
