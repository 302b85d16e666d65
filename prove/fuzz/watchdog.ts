import { Worker } from 'node:worker_threads'

/** Maximum size of an input that the watchdog can save, in bytes. */
const room = 1 << 20

const source = `
const { workerData } = require('node:worker_threads')
const { writeFileSync, writeSync } = require('node:fs')
const { counters, bytes, hungMs, file } = workerData
let [last, since] = [-1, Date.now()]
setInterval(() => {
  const count = Atomics.load(counters, 0)
  if (count !== last) [last, since] = [count, Date.now()]
  if (count % 2 === 0 || Date.now() - since < hungMs) return
  writeFileSync(file, Buffer.from(bytes).subarray(0, Atomics.load(counters, 1)))
  writeSync(2, 'prove: an input has held up the program for ' + hungMs + ' ms; it is in ' + file + '\\n')
  process.kill(process.pid, 'SIGKILL')
}, 500)
`

/** Ends this process if an input blocks it, and saves the input to a file; runs on a thread of its own. */
export class Watchdog {
  readonly #counters = new Int32Array(new SharedArrayBuffer(8))
  readonly #bytes = new Uint8Array(new SharedArrayBuffer(room))
  readonly #worker: Worker

  constructor(file: string, hungMs: number) {
    const workerData = { counters: this.#counters, bytes: this.#bytes, hungMs, file }
    this.#worker = new Worker(source, { eval: true, workerData })
    this.#worker.unref()
  }

  begins(input: Buffer): void {
    this.#bytes.set(input.subarray(0, room))
    Atomics.store(this.#counters, 1, Math.min(input.byteLength, room))
    Atomics.add(this.#counters, 0, 1)
  }

  ended(): void {
    Atomics.add(this.#counters, 0, 1)
  }

  async close(): Promise<void> {
    await this.#worker.terminate()
  }
}
