import { once } from 'node:events'
import type { Server as HttpServer } from 'node:http'
import { type AddressInfo, createServer, type ListenOptions, type Server, type Socket } from 'node:net'

/** Most connections that wait to be taken, in a burst or while a hub is away under systemd; the kernel's own bound may be lower. */
const backlog = 4096

/**
 * The places at which an HTTP server takes connections: addresses, sockets that systemd handed over, the admin's own socket. The
 * HTTP server itself listens nowhere; it is given each connection.
 */
export class Listeners {
  readonly #http: HttpServer
  readonly #servers: Server[] = []

  constructor(http: HttpServer) {
    this.#http = http
    // Node begins to watch for slow requests when a server listens.
    http.emit('listening')
  }

  /**
   * Takes connections there from now on; returns where that is, a path for a unix socket. `taken` sees each connection before
   * the HTTP server does. Throws the system's error.
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

  /** Where connections are taken, without what has no port. */
  get places(): AddressInfo[] {
    return this.#servers.map(server => server.address()).filter(place => place !== null && typeof place === 'object')
  }

  /** Most connections at once of each place. */
  set maxConnections(most: number) {
    for (const server of this.#servers) server.maxConnections = most
  }

  /** Takes no more connections. Resolves when all that were taken have ended. */
  async close(): Promise<void> {
    const servers = this.#servers.splice(0)
    await Promise.all(servers.map(server => new Promise(resolve => server.close(resolve))))
  }
}
