import type { IncomingMessage } from 'node:http'

/** One request to the hub, over any transport. */
export interface TransportRequest {
  method: string
  /** Path with query. */
  path: string
  headers: Record<string, string>
  body?: string
  signal?: AbortSignal
}

/**
 * The connection to a hub. `test/suites/transport-suite.ts` tests every implementation against this contract.
 */
export interface Transport {
  /** Name of the hub for people: `http://10.0.3.1:3500`. */
  readonly label: string

  /**
   * Sends one request and returns its response, whose body is still to be read. Throws `unavailable` if no response came: the hub
   * may or may not have executed the request, so only idempotent requests should be retried.
   */
  request(request: TransportRequest): Promise<IncomingMessage>

  /**
   * Resolves when the connection to the hub is open; at once if there is nothing to open. From this call until `close` it is kept
   * open: it is retried with growing pauses, and reopened whenever it is lost.
   */
  opened(): Promise<void>

  /** Ends every connection, so that the process can exit. Requests in flight fail. */
  close(): void
}
