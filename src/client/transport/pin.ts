import { X509Certificate } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { connect, TLSSocket } from 'node:tls'
import { type HubKey, hubKeyOf } from '../../protocol/hub-key.ts'

/**
 * Which hub may answer over TLS: the one that proves this key. `any` takes whatever key it has, for requests that carry nothing
 * secret; `hubKeyOfPeer` says afterwards which it was.
 */
export type Pin = HubKey | 'any'

/** What answers at an address is not the hub of the pinned key. Nothing was sent to it. */
export class WrongHub extends Error {
  readonly code = 'WRONG_HUB'
  /** The key that it should have proven, and the one that it did; without the latter it speaks no TLS 1.3. */
  readonly pin: Pin
  readonly found: HubKey | undefined
  /** Why the pinned key does not vouch for the one that was found, where that was asked for. */
  why: string | undefined

  constructor(pin: Pin, found: HubKey | undefined) {
    super(found === undefined ? 'it does not speak TLS 1.3' : `it has the key ${found}, not ${pin}`)
    this.pin = pin
    this.found = found
  }
}

/**
 * Speaks TLS 1.3 over `carrier` and answers once the other side has proven the key `pin`, before a byte of ours is written. The
 * certificate is not verified otherwise: neither its name nor its dates nor who signed it matter. Throws `WrongHub`, or what the
 * connection failed with.
 */
export function secure(carrier: Duplex, pin: Pin, signal?: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    // `checkServerIdentity` is not called for a certificate that is not verified: the key is compared here. No session is resumed,
    // for Node has no certificate of one that was.
    const socket = connect({
      socket: carrier,
      rejectUnauthorized: false,
      minVersion: 'TLSv1.3',
      ALPNProtocols: ['http/1.1'],
    })
    const end = (error: Error) => {
      signal?.removeEventListener('abort', abort)
      socket.destroy()
      carrier.destroy()
      reject(error)
    }
    const abort = () => end(signal!.reason)
    const fail = (error: NodeJS.ErrnoException) => end(isNoTls(error) ? new WrongHub(pin, undefined) : error)
    signal?.addEventListener('abort', abort)
    socket.once('error', fail)
    carrier.once('error', fail)
    socket.once('secureConnect', () => {
      const found = hubKeyOfPeer(socket)
      if (found === undefined || (pin !== 'any' && found !== pin)) return end(new WrongHub(pin, found))
      signal?.removeEventListener('abort', abort)
      socket.off('error', fail)
      carrier.off('error', fail)
      resolve(socket)
    })
    if (signal?.aborted) abort()
  })
}

/** The key that the other side of a connection has proven: of `IncomingMessage.socket`, for example. Undefined without a handshake of its own. */
export function hubKeyOfPeer(socket: Duplex): HubKey | undefined {
  const raw = socket instanceof TLSSocket ? socket.getPeerCertificate().raw : undefined
  return raw && hubKeyOf(new X509Certificate(raw).publicKey)
}

/** Whether a handshake failed because the other side answered something else than TLS, or a TLS of before 1.3. */
function isNoTls({ code = '' }: NodeJS.ErrnoException): boolean {
  return code === 'EPROTO' || code.startsWith('ERR_SSL_')
}
