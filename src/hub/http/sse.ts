import { once } from 'node:events'
import type { ServerResponse } from 'node:http'
import type { Socket } from 'node:net'

/** Returns the functions that count the unread bytes of one connection. */
export type Meter = (socket: Socket) => Pick<SseOptions, 'wrote' | 'read'>

export interface SseOptions {
  /** Ends every wait for the reader. */
  signal: AbortSignal
  /** Time in which the reader must drain a full buffer, in ms. */
  drainTimeoutMs: number
  /** Called with the size of each write. */
  wrote: (bytes: number) => void
  /** Called once for each write, in order, when the reader has taken it. */
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
      // With keep-alive, the connection of an ended stream would delay a hub that stops.
      connection: 'close',
    })
    response.flushHeaders()
  }

  /** Writes one event and waits until the buffer has room. Closes the stream when the reader is too slow: the client resumes from its cursor. */
  send(event: string, data: unknown, id?: string): Promise<void> {
    return this.sendText(eventText(event, data, id))
  }

  /** Does the same with encoded events. */
  async sendText(events: string): Promise<void> {
    if (this.#write(events)) return
    const { signal, drainTimeoutMs } = this.#options
    try {
      await once(this.#response, 'drain', { signal: AbortSignal.any([signal, AbortSignal.timeout(drainTimeoutMs)]) })
    } catch {
      this.#response.destroy()
    }
  }

  /** Writes encoded events, or drops them when the reader is behind: for state that a later read returns as well. */
  writeIfRead(events: Uint8Array): void {
    if (!this.#response.writableNeedDrain) this.#write(events)
  }

  /** Writes a comment, which readers skip, so that both ends notice a dead connection. */
  comment(text: string): void {
    this.#write(`: ${text}\n\n`)
  }

  end(): void {
    this.#response.end()
  }

  /** Reports whether the buffer has room for more. */
  #write(text: string | Uint8Array): boolean {
    this.#options.wrote(text.length)
    return this.#response.write(text, this.#options.read)
  }
}

/** Returns one event in the format of a stream. */
export function eventText(event: string, data: unknown, id?: string): string {
  return `${id === undefined ? '' : `id: ${id}\n`}event: ${event}\ndata: ${JSON.stringify(data)}\n\n`
}
