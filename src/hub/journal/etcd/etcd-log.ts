import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { HistoryError, type Log, type LogRecord } from '../log.ts'
import { EtcdError, type EtcdGateway } from './gateway.ts'

/** How often the log is looked at though its watch tells of nothing, in ms: watches have lost events (etcd issues 17529 and 18089). */
const lookMs = 1000

/** A watch that is silent for so long, in ms, is opened anew. Each look asks it for a sign of life. */
const silentMs = 20_000

/** Pauses before a watch, or a look that failed, is tried again, in ms: the first, doubled each time up to the last. */
const retryMs = { first: 50, last: 1000 }

/** Records in one answer: of 700 kB at most each, so that an answer has 16 MB of base64 at most. */
const maxRecords = 16

/** Digits of an offset in a key, so that keys sort as numbers do. */
const digits = 12

const KeyValue = z.object({ key: z.string(), value: z.string().optional(), create_revision: z.string().optional() })
type KeyValue = z.output<typeof KeyValue>

const RangeAnswer = z.object({ kvs: z.array(KeyValue).optional() })

const TransactionAnswer = z.object({
  succeeded: z.boolean().optional(),
  responses: z.array(z.object({ response_range: RangeAnswer.optional() })).default([]),
})

interface WatchMessage {
  created?: boolean
  canceled?: boolean
  cancel_reason?: string
  events?: { type?: 'PUT' | 'DELETE'; kv: KeyValue }[]
}

/**
 * A log in etcd. Record `n` lies under a key that ends in `n`. It is made only where it is not there, record `n - 1` is, and the key
 * `epoch` is the one that this hub knows, in one transaction. A watch only wakes: what it brings is taken where it is the next number,
 * and read by key otherwise, so that an event that it loses is not missed.
 */
export class EtcdLog implements Log {
  readonly epoch: string
  readonly #gateway: EtcdGateway
  readonly #prefix: string
  /** The revision at which the key `epoch` was made: another one is another log, whatever it is called. */
  readonly #madeAt: string

  private constructor(gateway: EtcdGateway, prefix: string, epoch: string, madeAt: string) {
    this.#gateway = gateway
    this.#prefix = prefix
    this.epoch = epoch
    this.#madeAt = madeAt
  }

  /** The log called `name`. Throws `HistoryError` when there is none yet. */
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

  /** The epoch of the history called `name`; undefined when there is none. */
  static async find(gateway: EtcdGateway, name: string): Promise<string | undefined> {
    const { kvs } = await ask(gateway, RangeAnswer, '/v3/kv/range', { key: base64(`${prefixOf(name)}epoch`) })
    return kvs?.[0] && text(kvs[0].value)
  }

  /** Begins a history called `name`: empty, or with one record. Throws `HistoryError` when there is another. */
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
    // The same name again: an earlier try was carried out, and its answer lost.
    if (text(found.value) === epoch) return new EtcdLog(gateway, prefix, epoch, found.create_revision ?? '')
    throw new HistoryError(
      `etcd has a history called '${name}' already.`,
      'Begin one of another name, etcd://HOST:PORT/NAME, or have a new hub join this one: claude-net hub --journal …',
    )
  }

  /** What hubs of this log show each other; made by the first that asks. */
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

  /** What the hubs that are there now show under `topic`, by their names; see `Board`. */
  async shown(topic: string): Promise<Map<string, string>> {
    const prefix = `${this.#prefix}board/`
    const { kvs = [] } = await ask(this.#gateway, RangeAnswer, '/v3/kv/range', {
      key: base64(prefix),
      range_end: base64(`${prefix.slice(0, -1)}0`),
    })
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
    const news = new News(signal)
    const watching = this.#watch(news, signal)
    let at = after
    let isBehind = true
    try {
      let pauseMs = retryMs.first
      while (!signal.aborted) {
        const brought = news.take(at)
        if (brought.length > 0) {
          at = brought.at(-1)!.offset
          yield brought
          continue
        }
        if (news.hasGap || isBehind) {
          news.hasGap = false
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
            await news.wait(pauseMs)
            pauseMs = Math.min(pauseMs * 2, retryMs.last)
          }
          continue
        }
        isBehind = await news.wait(lookMs)
      }
    } finally {
      news.end()
      await watching
    }
  }

  /** The newest record stays, whatever is asked: whoever has applied all of them finds it there. */
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

  /** The next records behind `at`; none at the end. Throws `HistoryError` when those are gone. */
  async #read(at: number, signal: AbortSignal): Promise<LogRecord[]> {
    // From the record at `at` on: where that is gone and nothing follows, the log was set back.
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

  /** Brings what comes to `news` until `signal` aborts, and says when something may have been missed. */
  async #watch(news: News, signal: AbortSignal): Promise<void> {
    const body = { create_request: { ...this.#from(0), progress_notify: true } }
    for (let pauseMs = retryMs.first; !news.signal.aborted; pauseMs = Math.min(pauseMs * 2, retryMs.last)) {
      try {
        const until = AbortSignal.any([signal, news.signal])
        for await (const message of this.#gateway.stream<WatchMessage>('/v3/watch', body, {
          silentMs,
          signal: until,
        })) {
          if (message.canceled) break
          if (message.created) {
            // What was written before the watch began is read.
            news.missed()
            pauseMs = retryMs.first
          }
          const puts = (message.events ?? []).filter(({ type }) => type !== 'DELETE')
          news.bring(puts.map(({ kv }) => this.#record(kv)))
        }
      } catch {
        // The looks go on meanwhile.
      }
      if (!news.signal.aborted) await news.pause(pauseMs)
    }
  }

  #from(offset: number): { key: string; range_end: string } {
    // `:` comes right behind the digits.
    return { key: this.#key(offset), range_end: base64(`${this.#prefix}records/:`) }
  }

  #key(offset: number): string {
    return recordKey(this.#prefix, offset)
  }

  /** Throws `EtcdError` for the key of no record. */
  #offsetOf({ key }: KeyValue): number {
    const offset = text(key).slice(-digits)
    if (offset.length < digits || !/^\d+$/.test(offset)) throw otherForm()
    return Number(offset)
  }

  #record(kv: KeyValue): LogRecord {
    return { offset: this.#offsetOf(kv), bytes: Buffer.from(kv.value ?? '', 'base64') }
  }
}

/** What a watch has brought and its follower has not taken yet. */
class News {
  /** Aborts when the follower has ended. */
  readonly signal: AbortSignal
  /** Something may have come of which the watch did not tell. */
  hasGap = false
  readonly #end = new AbortController()
  #records: LogRecord[] = []
  #wake: () => void = () => {}

  constructor(signal: AbortSignal) {
    this.signal = this.#end.signal
    signal.addEventListener('abort', () => this.end(), { once: true, signal: this.signal })
    if (signal.aborted) this.end()
  }

  bring(records: LogRecord[]): void {
    if (records.length === 0) return
    this.#records.push(...records)
    this.#wake()
  }

  missed(): void {
    this.hasGap = true
    this.#wake()
  }

  /** The records behind `at` without a gap; marks a gap where they begin later. Keeps nothing: what is left out is read by key. */
  take(at: number): LogRecord[] {
    const next = this.#records.filter(({ offset }) => offset > at)
    this.#records = []
    const taken = next.filter(({ offset }, index) => offset === at + 1 + index)
    if (taken.length < next.length) this.hasGap = true
    return taken
  }

  /** Resolves when there is something, after `ms` at the latest: to true then. */
  wait(ms: number): Promise<boolean> {
    return new Promise(resolve => {
      if (this.signal.aborted || this.#records.length > 0 || this.hasGap) return resolve(false)
      const timer = setTimeout(() => done(true), ms)
      const done = (isLate: boolean) => {
        clearTimeout(timer)
        this.#wake = () => {}
        resolve(isLate)
      }
      this.#wake = () => done(false)
    })
  }

  /** Resolves after `ms`, or when the follower ends. */
  async pause(ms: number): Promise<void> {
    await new Promise<void>(resolve => {
      const done = () => {
        clearTimeout(timer)
        this.signal.removeEventListener('abort', done)
        resolve()
      }
      const timer = setTimeout(done, ms)
      this.signal.addEventListener('abort', done)
    })
  }

  end(): void {
    this.#end.abort()
    this.#wake()
  }
}

/** gRPC's code for an error of which nothing else is known. */
const unknownCode = 2

/** The answer to a request, in the form that etcd documents. Throws `EtcdError` as `EtcdGateway.ask` does, and for one of another form. */
async function ask<Answer extends z.ZodType>(
  gateway: EtcdGateway,
  form: Answer,
  path: string,
  body: object,
  signal?: AbortSignal,
): Promise<z.output<Answer>> {
  const answer = form.safeParse(await gateway.ask<unknown>(path, body, signal))
  if (!answer.success) throw otherForm()
  return answer.data
}

function otherForm(): EtcdError {
  return new EtcdError('etcd answered in a form that this program does not know.', unknownCode)
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

function base64(value: string | Uint8Array): string {
  return Buffer.from(value as string).toString('base64')
}

function text(value = ''): string {
  return Buffer.from(value, 'base64').toString()
}
