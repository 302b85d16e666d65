import { X509Certificate } from 'node:crypto'
import type { Duplex } from 'node:stream'
import { connect, TLSSocket } from 'node:tls'
import { type HubKey, hubKeyOf } from '../../protocol/hub-key.ts'

/**
 * The key that a hub must prove over TLS. `any` accepts every key, for requests that carry nothing secret; `hubKeyOfPeer` returns
 * the key afterwards.
 */
export type Pin = HubKey | 'any'

/** The error that the server at an address does not have the pinned key. Nothing was sent to it. */
export class WrongHub extends Error {
  readonly code = 'WRONG_HUB'
  /** The key that it should have proven, and the one that it has; undefined if it does not speak TLS 1.3. */
  readonly pin: Pin
  readonly found: HubKey | undefined
  /** Reason why the pinned key does not vouch for the one that was found, if that was checked. */
  why: string | undefined

  constructor(pin: Pin, found: HubKey | undefined) {
    super(found === undefined ? 'it does not speak TLS 1.3' : `it has the key ${found}, not ${pin}`)
    this.pin = pin
    this.found = found
  }
}

/**
 * Opens TLS 1.3 over `carrier`, and resolves once the other side has proven the key `pin`, before any data is written. Nothing else in
 * the certificate is verified: neither its name, its dates nor its issuer. Throws `WrongHub`, or the error of the connection.
 */
export function secure(carrier: Duplex, pin: Pin, signal?: AbortSignal): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    // Node does not call `checkServerIdentity` for a certificate that it does not verify, so the key is compared here. Sessions are
    // not resumed, since Node has no certificate for a resumed one.
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

/** Returns the key that the peer of a socket has proven, such as `IncomingMessage.socket`; undefined without a full TLS handshake. */
export function hubKeyOfPeer(socket: Duplex): HubKey | undefined {
  const raw = socket instanceof TLSSocket ? socket.getPeerCertificate().raw : undefined
  return raw && hubKeyOf(new X509Certificate(raw).publicKey)
}

/** Reports whether a handshake failed because the peer speaks no TLS, or a version before 1.3. */
function isNoTls({ code = '' }: NodeJS.ErrnoException): boolean {
  return code === 'EPROTO' || code.startsWith('ERR_SSL_')
}
