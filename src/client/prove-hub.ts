import { ClaudeNetError } from '../protocol/errors.ts'
import { provenAddress } from '../protocol/hub-address.ts'
import type { HubKey } from '../protocol/hub-key.ts'
import { hubProof, isSameProof, newNonce } from '../protocol/hub-proof.ts'
import { hubRoutes } from '../protocol/routes/hub.ts'
import { hashToken, parseToken } from '../protocol/token.ts'
import { HubClient } from './hub-client.ts'
import { openTransport, type WayToHub } from './transport/open.ts'
import { hubKeyOfPeer, WrongHub } from './transport/pin.ts'

/**
 * Returns the TLS key of the hub at `way`, once it has proven over the same connection that it knows `token`. Neither the token nor
 * anything that helps to guess it is sent. Throws `not_found` if the hub is too old to prove itself, `forbidden` if it is not the hub of
 * this token, or the error of the connection.
 */
export async function provenKey(way: WayToHub, token: string): Promise<HubKey> {
  const transport = openTransport({ ...way, hub: provenAddress(way.hub), pin: 'any' })
  const { label } = transport
  let hubKey: HubKey | undefined
  const client = new HubClient({
    transport: {
      label,
      opened: () => transport.opened(),
      close: () => transport.close(),
      request: async request => {
        const response = await transport.request(request)
        hubKey = hubKeyOfPeer(response.socket)
        return response
      },
    },
  })
  try {
    const clientNonce = newNonce()
    const tokenId = parseToken(token)!.id
    const { nonce: hubNonce, proof } = await client
      .call(hubRoutes.proveHub, { body: { tokenId, nonce: clientNonce } })
      .catch(error => {
        throw isTooOld(error) ? cannotProve(label, error) : error
      })
    const isKnown = hubKey && isSameProof(proof, hubProof(hashToken(token), { clientNonce, hubNonce, hubKey }))
    if (!hubKey || !isKnown) throw notProven(label)
    return hubKey
  } finally {
    client.close()
  }
}

/** Reports whether the hub is an older one, without TLS or without this route. */
function isTooOld(error: unknown): boolean {
  if (!(error instanceof ClaudeNetError)) return false
  return error.code === 'not_found' || (error.cause instanceof WrongHub && error.cause.found === undefined)
}

function cannotProve(label: string, { code }: ClaudeNetError): ClaudeNetError {
  return new ClaudeNetError(
    'not_found',
    `The server at ${label} cannot prove that it is the hub: ${code === 'not_found' ? 'it does not support this' : 'it does not speak TLS 1.3'}. Nothing was changed.`,
    'If the hub is too old, ask its admin to upgrade it (install.sh), and run this again. Or another program has its port.',
  )
}

function notProven(label: string): ClaudeNetError {
  return new ClaudeNetError(
    'forbidden',
    `The server at ${label} has not proven that it knows this machine, so its key is not pinned. The token was not sent. Nothing was changed.`,
    'Another program may be in between, or the token was revoked. Ask the admin for claude-net invite NAME: its line contains the key of the hub.',
  )
}
