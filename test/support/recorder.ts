import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { onTestFinished } from 'vitest'

/** A proxy that forwards every byte and records all of them. */
export class Recorder {
  /** Bytes that each connection sent to the hub, in the order of the connections. */
  readonly asked: Buffer[] = []
  /** Both directions together, in no order. */
  readonly all: Buffer[] = []
  readonly #sockets = new Set<Socket>()
  readonly #server = createServer({ allowHalfOpen: true }, socket => this.#join(socket))
  #target: { port: number; host: string }

  constructor(target: URL) {
    this.#target = { port: Number(target.port), host: target.hostname.replace(/^\[|\]$/g, '') }
  }

  get url(): URL {
    return new URL(`http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`)
  }

  get text(): string {
    return Buffer.concat(this.all).toString('latin1')
  }

  /** Forwards new connections to another target. */
  forwardTo(target: URL): void {
    this.#target = { port: Number(target.port), host: target.hostname }
    for (const socket of this.#sockets) socket.destroy()
  }

  async listen(): Promise<this> {
    this.#server.listen(0, '127.0.0.1')
    await once(this.#server, 'listening')
    onTestFinished(() => {
      for (const socket of this.#sockets) socket.destroy()
      this.#server.close()
    })
    return this
  }

  #join(socket: Socket): void {
    const beyond = connect({ ...this.#target, allowHalfOpen: true })
    const number = this.asked.push(Buffer.alloc(0)) - 1
    for (const [from, to] of [
      [socket, beyond],
      [beyond, socket],
    ] as const) {
      this.#sockets.add(from)
      from.on('data', bytes => {
        this.all.push(bytes)
        if (from === socket) this.asked[number] = Buffer.concat([this.asked[number]!, bytes])
      })
      from.on('error', () => to.destroy()).on('close', () => this.#sockets.delete(from))
      from.pipe(to)
    }
  }
}
