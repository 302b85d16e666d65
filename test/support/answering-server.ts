import { once } from 'node:events'
import { join } from 'node:path'
import { Worker } from 'node:worker_threads'
import { onTestFinished } from 'vitest'

/**
 * A small server of HTTP, and of HTTP over TLS as a hub offers it, that answers as its path says, on a thread of its own: it goes on while the client's thread is busy.
 *
 *   /echo?afterMs=N    what came, as JSON: method, url, headers, body
 *   /bytes?count=N     N bytes
 *   /lines             a line each 10 ms, without end
 *   /never             nothing, on a connection that stays open
 *   /reset             nothing, and the connection is reset
 *   /healthz           half of an answer, then the connection is reset
 *   /counts            as JSON, how many connections are open, and how many requests have come to each path
 */
export class AnsweringServer {
  readonly url: URL
  readonly #worker: Worker

  constructor(worker: Worker, port: number) {
    this.#worker = worker
    this.url = new URL(`http://127.0.0.1:${port}`)
  }

  /** Closes every connection, as a hub does with idle ones. Returns when that is done, before this thread can process the closing. */
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
