import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'

/** Opens a connection to a server of this host; `opened` is called when it may be written to. */
export type Dial = (port: number, opened: () => void) => Socket

export const dialPlain: Dial = (port, opened) => connect({ port, host: '127.0.0.1', noDelay: true }, opened)

/** The same by TLS, as a machine that knows the hub's key. */
export const dialTls: Dial = (port, opened) =>
  connectTls({ socket: connect({ port, host: '127.0.0.1', noDelay: true }), rejectUnauthorized: false }, opened)
