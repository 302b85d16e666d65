import type { IncomingMessage } from 'node:http'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { LimitSettings } from '../config/door.ts'
import { maxRequestBytes } from './json-body.ts'
import { tooMany } from './limits.ts'

/** Time after which a client with too many incomplete bodies should retry, in ms. */
const retryMs = 1000

/**
 * Bytes of request bodies that have not arrived completely, each of which is kept in memory until it has. A body counts from the
 * start with the length that its head announces, per client and in total; the bounds are those of unread responses.
 */
export class OpenBodies {
  readonly #maxPerClient: number
  readonly #maxBytes: number
  readonly #perClient = new Map<string, number>()
  #bytes = 0

  constructor(limits: LimitSettings) {
    this.#maxPerClient = limits?.unreadBytesPerToken ?? Infinity
    this.#maxBytes = limits?.unreadBytes ?? Infinity
  }

  /** Announced bytes of all clients. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * Counts the body of a request whose head has arrived, until the request closes. Throws `rate_limited` or `unavailable` when too
   * many bytes are incomplete; the only body of a client is always accepted.
   */
  begin(request: IncomingMessage, client: string, most = maxRequestBytes): void {
    const bytes = announced(request, most)
    if (bytes === 0) return
    const ofClient = this.#perClient.get(client) ?? 0
    if (ofClient > 0 && ofClient + bytes > this.#maxPerClient) {
      throw tooMany(`${ofClient} bytes of your earlier requests have not arrived yet.`, retryMs, 'Send those first.')
    }
    if (ofClient > 0 && this.#bytes + bytes > this.#maxBytes) {
      throw new ClaudeNetError('unavailable', 'The hub is receiving too many requests.', 'Try again.', retryMs)
    }
    this.#add(client, bytes)
    request.on('close', () => this.#add(client, -bytes))
  }

  #add(client: string, bytes: number): void {
    this.#bytes += bytes
    const ofClient = (this.#perClient.get(client) ?? 0) + bytes
    if (ofClient === 0) this.#perClient.delete(client)
    else this.#perClient.set(client, ofClient)
  }
}

/** Returns the announced length of a body, `most` at most; `most` for a chunked one. */
function announced({ headers }: IncomingMessage, most: number): number {
  if (headers['transfer-encoding'] !== undefined) return most
  return Math.min(Number(headers['content-length'] ?? 0), most)
}
