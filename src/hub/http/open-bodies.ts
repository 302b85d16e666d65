import type { IncomingMessage } from 'node:http'
import { ClaudeNetError } from '../../protocol/errors.ts'
import type { LimitSettings } from '../config/door.ts'
import { maxRequestBytes } from './json-body.ts'
import { tooMany } from './limits.ts'

/** When a client with too many bodies under way should try again, in ms. */
const retryMs = 1000

/**
 * Bytes of the bodies of requests that have not come whole: each is kept in memory until it has, however slowly. Counted from the
 * start with what its head says, for each client and for all of them together; the bounds are those of answers that are not read.
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

  /** All bytes that are announced. */
  get bytes(): number {
    return this.#bytes
  }

  /**
   * The head of a request has come. Its body counts until it has come too, or never will. Throws `rate_limited` or `unavailable`
   * when there are too many bytes under way; a body alone is always let in.
   */
  begin(request: IncomingMessage, client: string, most = maxRequestBytes): void {
    const bytes = announced(request, most)
    if (bytes === 0) return
    const ofClient = this.#perClient.get(client) ?? 0
    if (ofClient > 0 && ofClient + bytes > this.#maxPerClient) {
      throw tooMany(`${ofClient} bytes of earlier requests of yours have not come yet.`, retryMs, 'Send those first.')
    }
    if (ofClient > 0 && this.#bytes + bytes > this.#maxBytes) {
      throw new ClaudeNetError('unavailable', 'The hub has too many requests under way.', 'Try again.', retryMs)
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

/** The length of a body that says one, at most what is read of it; the most that is read of one that comes in chunks. */
function announced({ headers }: IncomingMessage, most: number): number {
  if (headers['transfer-encoding'] !== undefined) return most
  return Math.min(Number(headers['content-length'] ?? 0), most)
}
