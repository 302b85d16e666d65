import type { Socket } from 'node:net'
import { type Dial, dialPlain } from './dial.ts'
import { request } from './load.ts'
import type { Member } from './store.ts'

/** An open event stream of one member, on a socket of its own. */
export class Stream {
  readonly #socket: Socket
  #awaited: { text: string; resolve: () => void } | undefined
  #received = ''

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.on('data', (chunk: string) => this.#take(chunk))
  }

  /** Opens the stream of `member`, with its name as the session, by which the plain server finds it. */
  static open(port: number, { name, token }: Member, dial: Dial = dialPlain): Promise<Stream> {
    return new Promise((resolve, reject) => {
      const socket = dial(port, () => socket.write(request('GET', `/v1/events?session=${name}`, token)))
      socket.setEncoding('latin1')
      socket.once('error', reject)
      socket.once('data', (head: string) => {
        socket.off('error', reject)
        if (head.startsWith('HTTP/1.1 200 ')) resolve(new Stream(socket))
        else reject(new Error(`No stream was opened: ${head}`))
      })
    })
  }

  /** Resolves when `text` arrives, which must not have arrived yet. One call at a time. */
  next(text: string): Promise<void> {
    return new Promise(resolve => {
      this.#awaited = { text, resolve }
    })
  }

  close(): void {
    this.#socket.destroy()
  }

  #take(chunk: string): void {
    if (!this.#awaited) return
    this.#received += chunk
    if (!this.#received.includes(this.#awaited.text)) return
    this.#received = ''
    const { resolve } = this.#awaited
    this.#awaited = undefined
    resolve()
  }
}
