import { once } from 'node:events'
import type { Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer, type ListenOptions, type Server, type Socket } from 'node:net'

/** Most connections that wait to be accepted, in a burst or while a hub restarts under systemd; the kernel's own bound may be lower. */
const backlog = 4096

/**
 * The listening sockets of an HTTP server: addresses, sockets that systemd handed over, the admin's own socket. The HTTP server
 * itself does not listen; every connection is passed to it.
 */
export class Listeners {
  readonly #http: HttpServer
  readonly #servers: Server[] = []

  constructor(http: HttpServer) {
    this.#http = http
    // Node starts to check for slow requests at this event.
    http.emit('listening')
  }

  /**
   * Starts to listen; returns the bound address, or the path of a Unix socket. `taken` is called with each connection before the
   * HTTP server gets it. Throws the system's error.
   */
  async listen(where: ListenOptions | { fd: number }, taken?: (socket: Socket) => void): Promise<AddressInfo | string> {
    const server = createServer({ allowHalfOpen: true, noDelay: true }, socket => {
      taken?.(socket)
      this.#http.emit('connection', socket)
    })
    server.listen({ backlog, ...where })
    await once(server, 'listening')
    this.#servers.push(server)
    return server.address()!
  }

  /** Addresses with a port at which the server listens. */
  get addresses(): AddressInfo[] {
    return this.#servers.map(server => server.address()).filter(each => each !== null && typeof each === 'object')
  }

  /** Most concurrent connections of each listening socket. */
  set maxConnections(most: number) {
    for (const server of this.#servers) server.maxConnections = most
  }

  /** Stops listening. Resolves when all accepted connections have ended. */
  async close(): Promise<void> {
    const servers = this.#servers.splice(0)
    await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  }
}
