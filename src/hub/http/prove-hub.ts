import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import { TLSSocket } from 'node:tls'
import { ClaudeNetError } from '../../protocol/errors.ts'
import { type HubKey, hubKeyOf } from '../../protocol/hub-key.ts'
import { hubProof, newNonce } from '../../protocol/hub-proof.ts'
import { endedTokenById, tokenById } from '../state/query/members.ts'
import type { Handlers } from './handler.ts'

/**
 * `POST /v1/proof`: shows whoever has a token, without being shown it, that this hub has stored it. For an id that no token has the
 * answer is as good as random: the nonce of the hub makes every answer another, so that none tells whether the id exists. A token that has
 * ended proves the hub as well.
 */
export const proveHub: Handlers['proveHub'] = ({ hub, body, request }) => {
  const hubKey = keyOf(request.raw.socket)
  if (hubKey === undefined) {
    throw new ClaudeNetError(
      'invalid',
      'A hub proves itself over TLS that reaches the hub itself; this request came in the clear, or through a proxy.',
      'Ask over https, at the port of the hub.',
    )
  }
  const { db } = hub.state
  const stored = tokenById(db, body.tokenId) ?? endedTokenById(db, body.tokenId)
  const nonce = newNonce()
  const proof = hubProof(stored?.hash ?? randomBytes(32), { clientNonce: body.nonce, hubNonce: nonce, hubKey })
  return { nonce, proof }
}

/** The key that this side of a connection has proven; a connection that was open when the certificate was changed has the one of before. */
function keyOf(socket: Socket): HubKey | undefined {
  const certificate = socket instanceof TLSSocket ? socket.getX509Certificate() : undefined
  return certificate && hubKeyOf(certificate.publicKey)
}
