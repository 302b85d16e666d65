import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { type HubKey, hubKeyOf } from '../../protocol/hub-key.ts'
import { hubProof, newNonce } from '../../protocol/hub-proof.ts'
import { endedTokenById, tokenById } from '../state/query/members.ts'
import type { Handlers } from './handler.ts'

/**
 * `POST /v1/proof`: proves to the holder of a token, without receiving it, that this hub has stored it. For an unknown id the proof is
 * random; as the hub's nonce makes every proof different, none reveals whether the id exists. A token that has ended proves the hub as well.
 */
export const proveHub: Handlers['proveHub'] = ({ hub, body, request }) => {
  const hubKey = keyOf(request.raw.socket)
  if (hubKey === undefined) {
    throw new ClaudeNetError(
      'invalid',
      'A hub can prove itself only over TLS that ends at the hub; this request came in plain text or through a proxy.',
      'Use https, directly at the port of the hub.',
    )
  }
  const { db } = hub.state
  const stored = tokenById(db, body.tokenId) ?? endedTokenById(db, body.tokenId)
  const nonce = newNonce()
  const proof = hubProof(stored?.hash ?? randomBytes(32), { clientNonce: body.nonce, hubNonce: nonce, hubKey })
  return { nonce, proof }
}

/** Returns the key that the hub has proven on a connection; one that was open when the certificate was replaced has the earlier key. */
function keyOf(socket: Socket): HubKey | undefined {
  const certificate = socket instanceof TLSSocket ? socket.getX509Certificate() : undefined
  return certificate && hubKeyOf(certificate.publicKey)
}
