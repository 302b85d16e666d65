import type { IncomingMessage } from 'node:http'

/** One request to the hub, whichever way it goes. */
export interface TransportRequest {
  method: string
  /** Path with query. */
  path: string
  headers: Record<string, string>
  body?: string
  signal?: AbortSignal
}

/**
 * How requests reach the hub. What is promised here is tested for every transport by `test/suites/transport-suite.ts`.
 */
export interface Transport {
  /** The hub as a person would name it: `http://10.0.3.1:3500`. */
  readonly label: string

  /**
   * Sends one request and answers its response, whose body is yet to be read. Throws `unavailable` when no answer came: then
   * the hub may have the request or not, and only requests that may be repeated should be sent again.
   */
  request(request: TransportRequest): Promise<IncomingMessage>

  /**
   * Resolves when the way to the hub is open, at once where there is nothing to open. Who waits here wants it kept open: until
   * `close` it is tried again and again, ever more rarely, and opened again whenever it is lost.
   */
  opened(): Promise<void>

  /** Ends every connection, so that the process can end. What was under way gets no answer. */
  close(): void
}
