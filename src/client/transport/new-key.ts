import type { HubKey } from '../../protocol/hub-key.ts'
import { KeyChain, proveKeyChange } from '../../protocol/key-chain.ts'
import type { Transport } from './transport.ts'

/** Timeout of the request for a hub's chain of keys, in ms. */
const chainMs = 5000

/** Maximum size of a chain, in bytes: more than the longest has. */
const maxBytes = 128 * 1024

/**
 * Proves that the hub with the key `pinned` now has the key `found`, by the chain that `request` returns: over a connection proven by
 * `found`, and without a token. Throws an error with the reason if not.
 */
export async function proveNewKey(request: Transport['request'], pinned: HubKey, found: HubKey): Promise<void> {
  const signal = AbortSignal.timeout(chainMs)
  const response = await request({ method: 'GET', path: '/hub-key.json', headers: {}, signal })
  const chunks: Buffer[] = []
  let size = 0
  for await (const chunk of response as AsyncIterable<Buffer>) {
    chunks.push(chunk)
    size += chunk.length
    if (size > maxBytes) throw new Error('its chain of keys is too long')
  }
  const chain =
    response.statusCode === 200 ? KeyChain.safeParse(parseJson(Buffer.concat(chunks).toString())) : undefined
  if (!chain?.success) throw new Error('it provides no chain of keys')
  proveKeyChange(chain.data.links, pinned, found)
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
