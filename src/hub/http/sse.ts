import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Makes what counts the bytes that wait for the reader of one connection. */
export type Meter = (socket: Socket) => Pick<SseOptions, 'wrote' | 'read'>

export interface SseOptions {
  /** Nobody waits for the reader after this. */
  signal: AbortSignal
  /** How long a reader may leave a full buffer as it is, in ms. */
  drainTimeoutMs: number
  /** Called for every write with its bytes, and once for each, in order, when the reader has taken it. */
  wrote: (bytes: number) => void
  read: () => void
}

/** One stream of server-sent events (html.spec.whatwg.org, section 9.2) on a response. */
export class SseStream {
  readonly #response: ServerResponse
  readonly #options: SseOptions

  constructor(response: ServerResponse, options: SseOptions) {
    this.#response = response
    this.#options = options
    response.writeHead(200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no',
      // A stream that has ended has no next request to wait for: kept alive, its connection would hold up a hub that stops.
      connection: 'close',
    })
    response.flushHeaders()
  }

  /** Writes one event and waits until the reader keeps up. Cuts the stream when it does not: the client resumes from its cursor. */
  send(event: string, data: unknown, id?: string): Promise<void> {
    return this.sendText(eventText(event, data, id))
  }

  /** The same with events as text. */
  async sendText(events: string): Promise<void> {
    if (this.#write(events)) return
    const { signal, drainTimeoutMs } = this.#options
    try {
      await once(this.#response, 'drain', { signal: AbortSignal.any([signal, AbortSignal.timeout(drainTimeoutMs)]) })
    } catch {
      this.#response.destroy()
    }
  }

  /** Writes encoded events, which are dropped when the reader is behind: for what a later read tells as well. */
  writeIfRead(events: Uint8Array): void {
    if (!this.#response.writableNeedDrain) this.#write(events)
  }

  /** Writes a line that readers skip, so that both ends notice a dead connection. */
  comment(text: string): void {
    this.#write(`: ${text}\n\n`)
  }

  end(): void {
    this.#response.end()
  }

  /** Whether the buffer has room for more. */
  #write(text: string | Uint8Array): boolean {
    this.#options.wrote(text.length)
    return this.#response.write(text, this.#options.read)
  }
}

/** One event as it is written to a stream. */
export function eventText(event: string, data: unknown, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
