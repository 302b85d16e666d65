import { once } from 'node:events'
import { join } from 'node:path'
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads'
import { onTestFinished } from 'vitest'

/** An order to the thread of the servers. A server is named by its port. */
export type Order =
  /** Starts a server and sends its port to `opened`. */
  | { open: true; opened: MessagePort }
  /** Closes every connection of a server, then sets `done` to 1 and notifies its waiter. */
  | { drop: number; done: Int32Array }
  /** Stops a server. */
  | { close: number }

/**
 * A small server of HTTP, and of HTTP over TLS as a hub offers it. The path of a request selects the response. The servers of all tests run
 * on one thread of their own, so that they respond while the client's thread is busy.
 *
 *   /echo?afterMs=N    the request as JSON: method, url, headers, body
 *   /bytes?count=N     N bytes
 *   /lines             a line every 10 ms, without end
 *   /never             no response, on a connection that stays open
 *   /reset             no response: the connection is reset
 *   /healthz           half of a response, then the connection is reset
 *   /counts            as JSON: the number of open connections, and of requests by path
 */
export class AnsweringServer {
  readonly url: URL
  readonly #port: number

  constructor(port: number) {
    this.#port = port
    this.url = new URL(`http://127.0.0.1:${port}`)
  }

  /** Closes every connection, as a hub does with idle ones. Returns when that is done, before this thread can process the closing. */
  closeConnections(): void {
    const done = new Int32Array(new SharedArrayBuffer(4))
    order({ drop: this.#port, done })
    Atomics.wait(done, 0, 0, 5000)
  }

  /** Stops the server and closes its connections. */
  close(): void {
    order({ close: this.#port })
  }
}

/** Starts a server for the running test. */
export async function startAnsweringServer(): Promise<AnsweringServer> {
  const { port1, port2 } = new MessageChannel()
  order({ open: true, opened: port2 }, [port2])
  const [port] = (await once(port1, 'message')) as [number]
  port1.close()
  const server = new AnsweringServer(port)
  onTestFinished(() => server.close())
  return server
}

let thread: Worker | undefined

/** Starting the thread takes 0.3 s of processor time, so it is kept for all tests of this process. */
function order(message: Order, transfer: MessagePort[] = []): void {
  if (!thread) {
    thread = new Worker(join(import.meta.dirname, 'answering-worker.ts'))
    thread.unref()
  }
  thread.postMessage(message, transfer)
}
