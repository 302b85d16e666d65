import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** Opens a connection to a server on this host. Calls `opened` when it is writable. */
export type Dial = (port: number, opened: () => void) => Socket

export const dialPlain: Dial = (port, opened) => connect({ port, host: '127.0.0.1', noDelay: true }, opened)

/** Opens a TLS connection, like a machine that has pinned the hub's key. */
export const dialTls: Dial = (port, opened) =>
  connectTls({ socket: connect({ port, host: '127.0.0.1', noDelay: true }), rejectUnauthorized: false }, opened)
