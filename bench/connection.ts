import type { Socket } from 'node:net'
import { type Dial, dialPlain } from './dial.ts'

export interface Answer {
  status: number
  /** The body as received, one character per byte. */
  body: string
}

/**
 * One persistent HTTP/1.1 connection, one request at a time. It implements only what the measured servers use: each response has a
 * `Content-Length`. It is small to leave the processor to the server.
 */
export class Connection {
  readonly #socket: Socket
  #onAnswer: ((answer: Answer) => void) | undefined
  #onFailure: ((error: Error) => void) | undefined
  #received = ''
  /** Length of the response being received, in characters; 0 until its head is complete. */
  #expected = 0
  #bodyStart = 0

  private constructor(socket: Socket) {
    this.#socket = socket
    socket.setEncoding('latin1')
    socket.on('data', (chunk: string) => this.#take(chunk))
    socket.on('error', error => this.#onFailure?.(error))
    socket.on('close', () => this.#onFailure?.(new Error('The server closed the connection.')))
  }

  static open(port: number, dial: Dial = dialPlain): Promise<Connection> {
    return new Promise((resolve, reject) => {
      const socket = dial(port, () => {
        socket.off('error', reject)
        resolve(new Connection(socket))
      })
      socket.once('error', reject)
    })
  }

  /** Writes `request`. Calls `onAnswer` when the response is complete; `onAnswer` may send the next request. */
  send(request: string, onAnswer: (answer: Answer) => void, onFailure: (error: Error) => void): void {
    this.#onAnswer = onAnswer
    this.#onFailure = onFailure
    this.#socket.write(request)
  }

  ask(request: string): Promise<Answer> {
    return new Promise((resolve, reject) => this.send(request, resolve, reject))
  }

  close(): void {
    this.#onFailure = undefined
    this.#socket.destroy()
  }

  #take(chunk: string): void {
    this.#received = this.#received === '' ? chunk : this.#received + chunk
    if (this.#expected === 0 && !this.#readHead()) return
    if (this.#received.length < this.#expected) return
    const answer = { status: Number(this.#received.slice(9, 12)), body: this.#received.slice(this.#bodyStart) }
    this.#received = ''
    this.#expected = 0
    this.#onAnswer?.(answer)
  }

  #readHead(): boolean {
    const end = this.#received.indexOf('\r\n\r\n')
    if (end < 0) return false
    this.#bodyStart = end + 4
    this.#expected = this.#bodyStart + Number(/content-length: (\d+)/i.exec(this.#received)?.[1] ?? 0)
    return true
  }
}

/** Throws unless the status is 2xx: refusals are fast, and must not count as speed. */
export function expectSuccess(answer: Answer): void {
  if (answer.status < 200 || answer.status > 299) throw unexpected(answer)
}

/** Throws unless a send was stored as a new message for every recipient. */
export function expectStored(answer: Answer): void {
  if (answer.status !== 201 || answer.body.includes('"refused"')) throw unexpected(answer)
}

function unexpected({ status, body }: Answer): Error {
  return new Error(`A server answered ${status}: ${body.slice(0, 300)}`)
}
