import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { onTestFinished } from 'vitest'

/**
 * A small server of HTTP, and of HTTP over TLS as a hub offers it, whose response depends on the path. It runs on a thread of its own, so
 * it responds while the client's thread is busy.
 *
 *   /echo?afterMs=N    the request as JSON: method, url, headers, body
 *   /bytes?count=N     N bytes
 *   /lines             a line each 10 ms, without end
 *   /never             no response; the connection stays open
 *   /reset             no response; the connection is reset
 *   /healthz           half of a response, then the connection is reset
 *   /counts            as JSON, the number of open connections, and of requests received for each path
 */
export class AnsweringServer {
  readonly url: URL
  readonly #worker: Worker

  constructor(worker: Worker, port: number) {
    this.#worker = worker
    this.url = new URL(`http://127.0.0.1:${port}`)
  }

  /**
   * Closes every connection, as a hub does with idle ones. Returns once they are closed, before this thread can process their 'close'
   * events.
   */
  closeConnections(): void {
    const done = new Int32Array(new SharedArrayBuffer(4))
    this.#worker.postMessage(done)
    Atomics.wait(done, 0, 0, 5000)
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}

/** Starts a server for the running test. */
export async function startAnsweringServer(): Promise<AnsweringServer> {
  const worker = new Worker(join(import.meta.dirname, 'answering-worker.ts'))
  const server = await once(worker, 'message').then(([port]) => new AnsweringServer(worker, port as number))
  onTestFinished(() => server.close())
  return server
}
